using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

/// <summary>The whole simulated cluster and its store: one queue, one source of chance, real time in microseconds.</summary>
internal sealed class LeaseWorld
{
    private readonly EventQueue _queue = new();
    private long _highest;

    public LeaseWorld(LeaseSettings settings)
    {
        Settings = settings;
        Random = new SimRandom(settings.Seed);
        Trace = new SimTrace(settings.Trace);
        Store = new ModelStore(this);
        Fence = new LeaseFence(this);
        Nodes = new LeaseNode[settings.Nodes];
        for (int i = 0; i < Nodes.Length; i++)
            Nodes[i] = new LeaseNode(this, i);
    }

    public LeaseSettings Settings { get; }
    public SimRandom Random { get; }
    public SimTrace Trace { get; }
    public ModelStore Store { get; }
    public LeaseFence Fence { get; }
    public LeaseNode[] Nodes { get; }
    public LeaseCounts Counts { get; } = new();
    public long Now { get; private set; }

    /// <summary>From here on no message is lost, repeated or slow; those under way are as they were fated to be.</summary>
    public bool Healed { get; set; }

    /// <summary>The first broken invariant; a run stops at it.</summary>
    public Violation? Violation { get; private set; }

    public void Schedule(long time, in SimEvent what) => _queue.Add(Math.Max(time, Now), what);

    public void Schedule(long time, Action action) => Schedule(time, new SimEvent(SimEventKind.Call, 0, Body: action));

    /// <summary>Runs every event up to <paramref name="until"/>, up to the first violation, or until <paramref name="done"/>.</summary>
    /// <returns>False: a promise was broken, or it is not done.</returns>
    public bool RunUntil(long until, Func<bool>? done = null)
    {
        while (Violation is null && _queue.NextTime <= until && done?.Invoke() != true)
            Step();

        if (Violation is not null || done?.Invoke() == false)
            return false;

        Now = done is null ? Math.Max(Now, until) : Now;
        return true;
    }

    public void Break(string invariant, string detail)
    {
        if (Violation is not null)
            return;

        Violation = new Violation(invariant, detail, Now);
        Trace.Line(Now, "!!!", $"{invariant}: {detail}");
    }

    private void Step()
    {
        var what = _queue.Take(out long time);
        Now = time;
        Counts.Events++;
        Trace.Mix(time, (int)what.Kind, what.Node);
        if (what.Kind == SimEventKind.Call)
            ((Action)what.Body!)();
        else
            Nodes[what.Node].Deliver(what);

        Check();
    }

    /// <summary>
    /// What an observer outside of time sees: each node's core read with that node's own clock at the same instant, paused ones
    /// included.
    /// </summary>
    private void Check()
    {
        LeaseNode? leader = null;
        foreach (var node in Nodes)
        {
            bool held = node.HoldsLease();
            var last = node.Last;
            if (!held)
            {
                node.Last = last with { Held = false };
                continue;
            }

            if (leader is not null)
                TwoLead(leader, node);

            leader = node;
            var core = node.Core!;
            if (!last.Held || last.Life != node.Life || last.Epoch != core.Epoch)
                Began(node, last.Held && last.Life == node.Life);

            node.Last = (true, node.Life, core.Generation, core.Epoch);
        }
    }

    private void TwoLead(LeaseNode one, LeaseNode other)
    {
        Counts.Overlaps++;
        if (!Settings.Faults.HasFlag(LeaseFaults.GoBack))
        {
            Break("lease: at most one leader",
                $"{one.Name} with {SimTrace.Epoch(one.Core!.Epoch)} and {other.Name} with {SimTrace.Epoch(other.Core!.Epoch)}");
        }
    }

    private void Began(LeaseNode node, bool bump)
    {
        var core = node.Core!;
        if (!bump && !core.Standing.Stands)
            Break("standing: who does not stand does not become leader", $"{node.Name} leads");

        if (node.Last is { } last && last.Life == node.Life && core.Generation <= last.Generation)
            Break("lapse: what has run out never comes back", $"{node.Name} leads again in generation {core.Generation}");

        if (core.Epoch <= _highest && Settings.Rising)
        {
            Break("epoch: strictly rising over leaderships",
                $"{node.Name} leads with {SimTrace.Epoch(core.Epoch)} after {SimTrace.Epoch(_highest)}");
        }

        _highest = Math.Max(_highest, core.Epoch);
        if (!bump)
        {
            Counts.Leaderships++;
            Trace.Line(Now, node.Name, $"=== leads with {SimTrace.Epoch(core.Epoch)} ===");
        }
    }
}

/// <summary>What a run was made of; sums over runs say whether the faults really bite.</summary>
internal sealed class LeaseCounts
{
    public long Events;
    public long Faults;
    public long Calls;
    public long Leaderships;
    public long Handoffs;
    public long Writes;
    public long FencedAway;

    /// <summary>Events at which two nodes led: only where the store went back in time.</summary>
    public long Overlaps;

    public void Add(LeaseCounts other)
    {
        Events += other.Events;
        Faults += other.Faults;
        Calls += other.Calls;
        Leaderships += other.Leaderships;
        Handoffs += other.Handoffs;
        Writes += other.Writes;
        FencedAway += other.FencedAway;
        Overlaps += other.Overlaps;
    }

    public override string ToString() =>
        $"{Events:N0} events, {Faults:N0} faults, {Calls:N0} calls of the store, {Leaderships:N0} leaderships, {Handoffs:N0} handoffs, "
        + $"{Writes:N0} writes, {FencedAway:N0} stopped by the fence, {Overlaps:N0} events with two leaders";
}
