using Ha.Election;
using Ha.Leases;

namespace Ha.Tests.Leases;

/// <summary>
/// A few lease cores, one register and one clock. A call is answered <see cref="Delay"/> after it was taken, unless a test takes
/// it by itself or has cut the node off.
/// </summary>
internal sealed class LeaseBed
{
    public const long Lease = 900_000;
    public const long Interval = Lease / 3;
    public const long Delay = 300;
    private readonly Dictionary<string, LeaseCore> _cores = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Guid> _incarnations = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LeaseMember> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _membersAt = new(StringComparer.Ordinal);
    private readonly List<(long At, string Id, StoreCall Call)> _underWay = [];
    private long _writtenAt;
    private int _versions;

    public long Now { get; private set; } = 1_000_000_000;

    /// <summary>Unix microseconds at the present; a test may step it.</summary>
    public long WallSkew { get; set; }

    public long Wall => Now + WallSkew;

    public LeaseRecord? Record { get; private set; }

    public string? Version { get; private set; }

    public bool KeepsMembers { get; set; } = true;

    /// <summary>Nodes whose calls are lost.</summary>
    public HashSet<string> CutOff { get; } = new(StringComparer.Ordinal);

    public List<(long At, string Id, StoreCall Call)> Calls { get; } = [];

    public Dictionary<string, List<ElectionEvent>> Events { get; } = new(StringComparer.Ordinal);

    public LeaseCore this[string id] => _cores[id];

    public string[] Leaders => [.. _cores.Where(node => node.Value.IsLeaderAt(Now)).Select(node => node.Key)];

    public string Incarnation(string id) => _incarnations[id].ToString("N");

    public LeaseCore Start(string id, bool ready = true, bool awaitFloor = false)
    {
        _incarnations[id] = new Guid(_incarnations.Count + 1 + 1000 * (int)(Now % 1000), 0, 0, new byte[8]);
        var core = new LeaseCore(
            new LeaseConfig
            {
                NodeId = id,
                Incarnation = _incarnations[id],
                Target = $"http://{id}:1",
                PublicTarget = $"http://{id}.example:1",
                LeaseMicros = Lease,
                DrainMicros = 2 * Lease,
                AwaitEpochFloor = awaitFloor,
                FencePatienceMicros = 2_000_000,
                Jitter = () => 0.5,
                StoreDescription = "a register",
            },
            Now,
            Wall);
        _cores[id] = core;
        Events[id] = [];
        if (ready)
            core.SetReady(Now);

        return core;
    }

    public void Stop(string id) => _cores.Remove(id);

    /// <summary>Somebody writes into the table by hand; null: deletes the row.</summary>
    public void Edit(LeaseRecord? record)
    {
        (Record, Version) = (record, record is null ? null : $"v{++_versions}");
        _writtenAt = Now;
    }

    /// <summary>What the register says and does at this moment.</summary>
    public LeaseAnswer Apply(StoreCall call)
    {
        (_members[call.Self.NodeId], _membersAt[call.Self.NodeId]) = (call.Self, Now);
        bool written = call.Write is not null && call.Expected == Version;
        if (written)
            Edit(call.Write);

        return new LeaseAnswer
        {
            Written = written,
            Record = Record,
            Version = Version,
            Age = Record is null ? null : TimeSpan.FromMicroseconds(Now - _writtenAt),
            Members = !KeepsMembers ? null
                : [.. _members.Select(member => member.Value with { Age = TimeSpan.FromMicroseconds(Now - _membersAt[member.Key]) })],
        };
    }

    /// <summary>The call that this node has due now, for the test to deal with; time moves on to it.</summary>
    public StoreCall Take(string id)
    {
        for (int i = 0; i < 1000; i++)
        {
            if (_underWay.Exists(call => call.Id == id))
                Run(Delay);

            if (_cores[id].TakeCall(Now, Wall) is { } call)
                return call;

            Now = Math.Max(Now + 1, _cores[id].NextDeadline);
        }

        throw new InvalidOperationException($"{id} asks nothing.");
    }

    public void Pass(long micros) => Now += micros;

    /// <summary>Everybody does what is due, for so long or until it is done.</summary>
    public bool Run(long micros, Func<bool>? done = null)
    {
        long end = Now + micros;
        while (done?.Invoke() != true)
        {
            foreach (var (id, core) in _cores)
            {
                while (core.TakeCall(Now, Wall) is { } call)
                {
                    Calls.Add((Now, id, call));
                    _underWay.Add((Now + (CutOff.Contains(id) ? core.CallTimeoutMicros : Delay), id, call));
                }

                Events[id].AddRange(core.TakeEvents());
            }

            long next = Math.Min(
                _cores.Count == 0 ? end : _cores.Values.Min(core => core.NextDeadline),
                _underWay.Count == 0 ? end : _underWay.Min(call => call.At));
            if (next >= end)
            {
                Now = end;
                foreach (var (id, core) in _cores)
                {
                    core.Tick(Now, Wall);
                    Events[id].AddRange(core.TakeEvents());
                }

                return done?.Invoke() == true;
            }

            Now = Math.Max(Now, next);
            foreach (var core in _cores.Values)
                core.Tick(Now, Wall);

            foreach (var due in _underWay.Where(call => call.At <= Now).ToArray())
            {
                _underWay.Remove(due);
                if (!_cores.TryGetValue(due.Id, out var core))
                    continue;

                if (CutOff.Contains(due.Id))
                    core.Failed(due.Call.Id, "cut off", Now, Wall);
                else
                    core.Answered(due.Call.Id, Apply(due.Call), Now, Wall);

                Events[due.Id].AddRange(core.TakeEvents());
            }
        }

        return true;
    }

    /// <returns>How long it took.</returns>
    public long RunUntilLeads(string id, long within = 10 * Lease)
    {
        long from = Now;
        Assert.True(Run(within, () => _cores[id].IsLeaderAt(Now)), $"{id} does not lead after {within / 1000} ms");
        return Now - from;
    }
}
