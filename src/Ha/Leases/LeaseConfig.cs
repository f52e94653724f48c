using Ha.Election;

namespace Ha.Leases;

/// <summary>What one <see cref="LeaseCore"/> is created with. Durations are microseconds.</summary>
internal sealed record LeaseConfig
{
    public required string NodeId { get; init; }
    public required Guid Incarnation { get; init; }

    /// <summary>This node's URL as members reach it; normalised, or empty.</summary>
    public required string Target { get; init; }

    /// <summary>This node's URL as clients reach it; normalised, or empty.</summary>
    public required string PublicTarget { get; init; }

    public required long LeaseMicros { get; init; }
    public required long DrainMicros { get; init; }

    /// <inheritdoc cref="ElectionConfig.AwaitEpochFloor" />
    public bool AwaitEpochFloor { get; init; }

    /// <inheritdoc cref="ElectionConfig.FencePatienceMicros" />
    public long FencePatienceMicros { get; init; } = 10_000_000;

    /// <summary>Source of jitter, uniform in [0, 1): members that see the same thing must not all ask at once.</summary>
    public required Func<double> Jitter { get; init; }

    /// <summary><see cref="ILeaseStore.Description"/>.</summary>
    public required string StoreDescription { get; init; }

    /// <summary>This node as the store notes it, before it says whether it could lead.</summary>
    public LeaseMember Member => new()
    {
        NodeId = NodeId,
        Incarnation = Incarnation.ToString("N"),
        Url = PublicTarget,
        Target = Target,
    };

    /// <summary>A leader renews, and a follower asks, once in this time.</summary>
    public long IntervalMicros => LeaseMicros / 3;

    /// <summary>
    /// How long a call of the store may take. A renewal leaves when a third of the lease is gone; if it hangs, the next one
    /// leaves when two thirds are, with almost a third left for its answer. Half a lease would leave that one a sixth.
    /// </summary>
    public long CallTimeoutMicros => LeaseMicros / 3;
}
