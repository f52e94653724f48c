using Ha.Leases;
using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

/// <summary>
/// The store as a register with versions, linearizable because nothing here runs in parallel, behind links that lose, delay and
/// repeat. Its clock is as bad as any other.
/// </summary>
internal sealed class ModelStore(LeaseWorld world)
{
    private readonly Dictionary<string, (LeaseMember Member, long At)> _members = new(StringComparer.Ordinal);
    private readonly List<(LeaseRecord? Record, string? Version)> _past = [];
    private readonly NodeClock _clock = new(localBase: 1_000_000, ratePpm: 0, wallSkew: 0);
    private long _writtenAt;
    private long _stepped;
    private int _versions;

    public LeaseRecord? Record { get; private set; }
    public string? Version { get; private set; }

    /// <summary>Refuses every call at once.</summary>
    public long RefusesUntil { get; set; }

    /// <summary>Takes no call at all.</summary>
    public long SilentUntil { get; set; }

    /// <summary>Stands still: what reaches it waits, and is done in a row when it goes on.</summary>
    public long StoppedUntil { get; set; }

    private LeaseSettings Settings => world.Settings;

    private SimRandom Random => world.Random;

    public void Ask(LeaseNode node, StoreCall call)
    {
        int life = node.Life;
        if (world.Now < RefusesUntil && Random.Chance(700))
        {
            world.Schedule(world.Now + Delay(), new SimEvent(SimEventKind.GiveUp, node.Index, life, Number: call.Id));
            return;
        }

        Carry(node, () => Arrive(node, life, call));
    }

    public void StepClock(long by) => _stepped += by;

    public void Heal()
    {
        RefusesUntil = SilentUntil = 0;
        StoppedUntil = Math.Min(StoppedUntil, world.Now);
    }

    /// <summary>Past all members: by hand.</summary>
    public void Edit(LeaseRecord? record, string what)
    {
        world.Trace.Line(world.Now, "store", $"by hand: {what}");
        Put(record);
    }

    /// <summary>The last writings are lost, as when a replica takes over that had not got them yet.</summary>
    public void GoBack()
    {
        if (_past.Count == 0)
            return;

        (Record, Version) = _past[Math.Max(0, _past.Count - 1 - Random.Index(8))];
        world.Trace.Line(world.Now, "store", $"goes back to {Version ?? "nothing"}");
        WakeAll();
    }

    private void Arrive(LeaseNode node, int life, StoreCall call)
    {
        if (world.Now < SilentUntil || world.Now < RefusesUntil)
            return;

        if (world.Now < StoppedUntil)
        {
            world.Schedule(StoppedUntil, () => Arrive(node, life, call));
            return;
        }

        var answer = Apply(call);
        long late = world.Now < node.LateUntil ? node.LateBy : 0;
        var reply = new SimEvent(SimEventKind.Reply, node.Index, life, Number: call.Id, Body: answer);
        Carry(node, () => world.Schedule(world.Now + late, reply));
    }

    private LeaseAnswer Apply(StoreCall call)
    {
        long now = _clock.Local(world.Now) + _stepped;
        _members[call.Self.NodeId] = (call.Self, now);
        bool written = call.Write is not null && call.Expected == Version;
        if (written)
            Put(call.Write);

        if (world.Trace.On && call.Write is { } asked)
        {
            world.Trace.Line(world.Now, "store",
                $"{(written ? "takes" : "refuses")} {Tell(asked)} of {call.Self.NodeId} over {call.Expected ?? "nothing"}, "
                + $"now {Version ?? "nothing"}");
        }

        return new LeaseAnswer
        {
            Written = written,
            Record = Record,
            Version = Version,
            Age = Record is null || !Settings.TellsAge ? null : TimeSpan.FromMicroseconds(now - _writtenAt),
            Members = !Settings.KeepsMembers ? null
                : [.. _members.Values.Select(known => known.Member with { Age = TimeSpan.FromMicroseconds(now - known.At) })],
        };
    }

    private void Put(LeaseRecord? record)
    {
        if (Settings.Faults.HasFlag(LeaseFaults.GoBack))
            _past.Add((Record, Version));

        (Record, Version) = (record, record is null ? null : $"v{++_versions}");
        _writtenAt = _clock.Local(world.Now) + _stepped;
        WakeAll();
    }

    private void WakeAll()
    {
        foreach (var node in world.Nodes)
        {
            if (!Random.Chance(Settings.WakeLossPermille))
                world.Schedule(world.Now + Delay(), () => node.WakeUp());
        }
    }

    private long Delay() => Random.Between(100, Settings.DelayMaxMicros);

    private void Carry(LeaseNode node, Action arrive)
    {
        if (world.Now < node.CutUntil || (!world.Healed && Random.Chance(Settings.LossPermille)))
            return;

        for (int copies = !world.Healed && Random.Chance(Settings.DuplicatePermille) ? 2 : 1; copies > 0; copies--)
        {
            long late = !world.Healed && Random.Chance(Settings.SlowPermille) ? Random.Between(0, Settings.SlowMaxMicros) : 0;
            world.Schedule(world.Now + Delay() + late, arrive);
        }
    }

    private static string Tell(LeaseRecord record) =>
        $"{record.HolderId ?? (record.Duration == TimeSpan.Zero ? "released" : "vacant")} {SimTrace.Epoch(record.Epoch)}";
}
