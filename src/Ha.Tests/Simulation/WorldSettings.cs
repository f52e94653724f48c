using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>One node as its operator configured it.</summary>
internal sealed record NodeSetup
{
    public required string Id { get; init; }

    /// <summary>The URL the other members know; differs from node to node even when ids clash by mistake.</summary>
    public required string Target { get; init; }

    /// <summary>All member URLs, own one included.</summary>
    public required IReadOnlyList<string> Members { get; init; }

    public required long IntervalMicros { get; init; }
    public required long LeaseMicros { get; init; }
    public required bool Majority { get; init; }
    public bool Witness { get; init; }
    public PreemptMode Preempt { get; init; }
    public required long DrainMicros { get; init; }
    public bool AwaitEpochFloor { get; init; }
    public int RatePpm { get; init; }
    public long WallSkewMicros { get; init; }
    public long ClockBaseMicros { get; init; }

    /// <summary>How long after the process start the application listens.</summary>
    public long ReadyAfterMicros { get; init; }

    public long QuarantineMicros() => LeaseMicros + IntervalMicros;

    public ElectionConfig ToConfig(Guid incarnation, Func<Guid> nonces) => new()
    {
        ClusterId = "sim",
        NodeId = Id,
        Incarnation = incarnation,
        Target = Target,
        PublicTarget = Target,
        Peers = [.. Members.Where(member => member != Target)],
        IntervalMicros = IntervalMicros,
        LeaseMicros = LeaseMicros,
        Majority = Majority,
        Preempt = Preempt,
        Witness = Witness,
        DrainMicros = DrainMicros,
        AwaitEpochFloor = AwaitEpochFloor,
        FencePatienceMicros = 2 * LeaseMicros,
        Digest = string.Create(null, $"{string.Join(',', Members.Order(StringComparer.Ordinal))}|{IntervalMicros}|{LeaseMicros}|{Majority}"),
        NewNonce = nonces,
    };
}

/// <summary>Which promise about epochs is checked.</summary>
internal enum EpochRule
{
    /// <summary>None: off mode under partition, clocks that step while memories are lost.</summary>
    None,

    /// <summary>Each acquisition is above all before it.</summary>
    Rising,

    /// <summary>Each epoch that writes are admitted with is above all such before it.</summary>
    RisingForWrites,
}

/// <summary>What a run starts from. Everything that a seed decides before the first event is in here.</summary>
internal sealed record WorldSettings
{
    public required ulong Seed { get; init; }
    public required IReadOnlyList<NodeSetup> Nodes { get; init; }
    public long DelayMinMicros { get; init; } = 100;
    public long DelayMaxMicros { get; init; } = 500;

    /// <summary>How late timers may fire in an ordinary moment.</summary>
    public long TimerSlopMicros { get; init; }

    /// <summary>In thousandths: a request to a dead process is refused at once rather than left to time out.</summary>
    public int RefusePermille { get; init; } = 500;

    /// <summary>True: replies also reach the core after its owner gave up on the request.</summary>
    public bool LateReplies { get; init; } = true;

    /// <summary>Mean time between two writers that knock at every node; 0: none.</summary>
    public long WriterEveryMicros { get; init; }

    /// <summary>False where two leaders are allowed: off mode under partition, and a VM that is stopped with its clock.</summary>
    public bool SingleLease { get; init; } = true;

    public EpochRule Epochs { get; init; } = EpochRule.Rising;

    /// <summary>False where leases do not rest on promises that outlive a crash: off mode, one node, VM stops.</summary>
    public bool Promises { get; init; } = true;

    /// <summary>True where nothing happens to the network and to the clocks: then nobody loses sight of a living leader.</summary>
    public bool SteadyViews { get; init; }

    public bool Trace { get; init; }
}
