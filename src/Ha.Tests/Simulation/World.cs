namespace Ha.Tests.Simulation;

/// <summary>
/// The whole simulated cluster: one queue, one source of chance, real time in microseconds. Nothing runs in parallel
/// inside a world, so a seed replays exactly.
/// </summary>
internal sealed class World
{
    private readonly EventQueue _queue = new();
    private readonly Invariants _invariants;

    public World(WorldSettings settings)
    {
        Settings = settings;
        Random = new SimRandom(settings.Seed);
        Trace = new SimTrace(settings.Trace);
        Network = new Network(this, settings.Nodes.Count, settings.DelayMinMicros, settings.DelayMaxMicros);
        Nodes = new SimNode[settings.Nodes.Count];
        for (int i = 0; i < Nodes.Length; i++)
            Nodes[i] = new SimNode(this, i, settings.Nodes[i]);

        Register = new FencedRegister(this);
        _invariants = new Invariants(this);
        if (settings.WriterEveryMicros > 0)
            Schedule(settings.WriterEveryMicros, new SimEvent(SimEventKind.Call, 0, Body: (Action)KnockAtEveryDoor));
    }

    public WorldSettings Settings { get; }
    public SimRandom Random { get; }
    public SimTrace Trace { get; }
    public Network Network { get; }
    public SimNode[] Nodes { get; }
    public FencedRegister Register { get; }
    public WorldCounts Counts { get; } = new();
    public EpochChecker Epochs => _invariants.Epochs;
    public long Now { get; private set; }

    /// <summary>The first broken invariant; a run stops at it.</summary>
    public Violation? Violation { get; private set; }

    public void Schedule(long time, in SimEvent what)
    {
        if (time != long.MaxValue)
            _queue.Add(Math.Max(time, Now), what);
    }

    public void Schedule(long time, Action action) =>
        Schedule(time, new SimEvent(SimEventKind.Call, 0, Body: action));

    /// <summary>Runs every event up to <paramref name="until"/>, or up to the first violation. Real time then stands there.</summary>
    public bool RunUntil(long until)
    {
        while (Violation is null && _queue.NextTime <= until)
            Step();

        if (Violation is null)
            Now = Math.Max(Now, until);

        return Violation is null;
    }

    /// <summary>Runs the next event when it is due by <paramref name="until"/>.</summary>
    public bool StepBefore(long until)
    {
        if (Violation is not null || _queue.NextTime > until)
            return false;

        Step();
        return true;
    }

    /// <returns>False: nobody does <paramref name="within"/> microseconds from now, or a promise was broken.</returns>
    public bool RunUntilSomebodyLeads(long within)
    {
        long limit = Now + within;
        while (Leader() < 0)
        {
            if (!StepBefore(limit))
                return false;
        }

        return true;
    }

    public void Break(string invariant, string detail)
    {
        if (Violation is not null)
            return;

        Violation = new Violation(invariant, detail, Now);
        Trace.Line(Now, "!!!", $"{invariant}: {detail}");
    }

    public int Leader()
    {
        foreach (var node in Nodes)
        {
            if (node.HoldsLeaseNow())
                return node.Index;
        }

        return -1;
    }

    /// <summary>Further URLs that lead to a node.</summary>
    public Dictionary<string, string> Aliases { get; } = new(StringComparer.Ordinal);

    public SimNode? Find(string target)
    {
        string known = Aliases.GetValueOrDefault(target, target);
        return Array.Find(Nodes, node => node.Setup.Target == known);
    }

    /// <summary>What a fault does to a node happens between events; the invariants look after it as after any event.</summary>
    public void CheckNow() => _invariants.AfterEvent();

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

        _invariants.AfterEvent();
    }

    private void KnockAtEveryDoor()
    {
        foreach (var node in Nodes)
            node.TryEnterWriter();

        Schedule(Now + Random.Exponential(Settings.WriterEveryMicros), KnockAtEveryDoor);
    }
}

/// <param name="Invariant">Which promise is broken.</param>
/// <param name="Detail">By whom and how.</param>
/// <param name="Time">Real microseconds into the run.</param>
internal sealed record Violation(string Invariant, string Detail, long Time);

/// <summary>What a run was made of; sums over runs say whether the faults really bite.</summary>
internal sealed class WorldCounts
{
    public long Events;
    public long Acquisitions;
    public long LeaderChanges;
    public long Handoffs;
    public long Faults;
    public long Writes;
    public long CheckedAway;
    public long FencedAway;

    public void Add(WorldCounts other)
    {
        Events += other.Events;
        Acquisitions += other.Acquisitions;
        LeaderChanges += other.LeaderChanges;
        Handoffs += other.Handoffs;
        Faults += other.Faults;
        Writes += other.Writes;
        CheckedAway += other.CheckedAway;
        FencedAway += other.FencedAway;
    }
}
