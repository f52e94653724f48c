using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>
/// One machine with one process on it: the owner of a production core, as <c>ElectionRunner</c> is, but on simulated time.
/// Calls the core, sends what it wants sent, keeps one request outstanding per peer, wakes it at its deadline.
/// </summary>
internal sealed partial class SimNode
{
    private readonly World _world;
    private readonly ViewChecker _views;
    private readonly List<SimEvent> _inbox = [];
    private int[] _worldOfPeer = [];
    private int[] _peerOfWorld = [];
    private long[] _outstanding = [];
    private long _wakeAt;
    private long _wakeNumber;
    private long _sameInstant;
    private int _wakesInInstant;
    private bool _stopping;
    private Action? _whenStopped;

    public SimNode(World world, int index, NodeSetup setup)
    {
        _world = world;
        _views = new ViewChecker(world, this);
        Index = index;
        Setup = setup;
        Name = setup.Id;
        Clock = new NodeClock(setup.ClockBaseMicros, setup.RatePpm, setup.WallSkewMicros);
    }

    public int Index { get; }
    public string Name { get; set; }
    public NodeSetup Setup { get; set; }
    public NodeClock Clock { get; }

    /// <summary>Null while no process runs.</summary>
    public ElectionCore? Core { get; private set; }

    public Guid Incarnation { get; private set; }

    /// <summary>Counts process starts and ends; an event of an earlier life is dropped.</summary>
    public int Life { get; private set; }

    public bool Paused { get; private set; }

    /// <summary>The highest epoch this process has shown to know.</summary>
    public long HighestEpochSaid { get; private set; }
    public bool Stopping => _stopping;
    public int Inside { get; private set; }

    /// <summary>Until then this node's timers do not fire: a starved thread pool.</summary>
    public long StarvedUntil { get; set; }

    /// <summary>True when the current event reached the core; <see cref="Before"/> then says what was true just before.</summary>
    public bool Touched { get; set; }

    public LeadershipBefore Before { get; private set; }

    public long LocalNow => Clock.Local(_world.Now);

    public bool LeadsNow() => Core is { } core && core.IsLeaderAt(LocalNow);

    public bool HoldsLeaseNow() => Core is { } core && CoreView.HoldsLease(core, LocalNow);

    public int PeerOf(SimNode other) => _peerOfWorld.Length > other.Index ? _peerOfWorld[other.Index] : -1;

    public void Start()
    {
        Incarnation = _world.Random.NextGuid();
        Life++;
        var config = Setup.ToConfig(Incarnation, _world.Random.NextGuid);
        _worldOfPeer = [.. config.Peers.Select(peer => _world.Find(peer)?.Index ?? -1)];
        _peerOfWorld = new int[_world.Nodes.Length];
        Array.Fill(_peerOfWorld, -1);
        for (int peer = 0; peer < _worldOfPeer.Length; peer++)
        {
            if (_worldOfPeer[peer] >= 0)
                _peerOfWorld[_worldOfPeer[peer]] = peer;
        }

        _outstanding = new long[config.Peers.Count];
        Array.Fill(_outstanding, -1);
        _wakeAt = long.MaxValue;
        _floorAskedFor = 0;
        HighestEpochSaid = 0;
        _stopping = false;
        Inside = 0;
        Clock.Continue(_world.Now);
        Say("starts with an empty memory");
        Core = new ElectionCore(config, LocalNow, Clock.Wall(_world.Now));
        Core.SetListening(LocalNow);
        Before = default;
        Touched = true;
        _world.Schedule(_world.Now + Setup.ReadyAfterMicros, new SimEvent(SimEventKind.Ready, Index, Life));
        Settle(LocalNow);
    }

    public void Crash(string why)
    {
        if (Core is null)
            return;

        Say($"dies: {why}");
        Core = null;
        Life++;
        Paused = false;
        Inside = 0;
        _inbox.Clear();
    }

    /// <summary>Stops all work of the process; its clocks run on, its kernel still takes packets.</summary>
    public void Pause(string why)
    {
        if (Core is null || Paused)
            return;

        Say($"stops: {why}");
        Paused = true;
    }

    /// <summary>Work goes on; what arrived meanwhile is handled in its order, or in any order when shuffled.</summary>
    public void Resume(bool shuffled)
    {
        if (!Paused)
            return;

        Paused = false;
        Say($"goes on with {_inbox.Count} events waiting");
        if (shuffled)
        {
            for (int i = _inbox.Count - 1; i > 0; i--)
            {
                int other = _world.Random.Index(i + 1);
                (_inbox[i], _inbox[other]) = (_inbox[other], _inbox[i]);
            }
        }

        // One microsecond apart: the invariants look between any two of them.
        long at = _world.Now;
        foreach (var waiting in _inbox)
            _world.Schedule(at++, waiting);

        _inbox.Clear();
    }

    public void Deliver(in SimEvent what)
    {
        if (Core is null || (what.Life != 0 && what.Life != Life))
            return;

        if (Paused)
        {
            _inbox.Add(what);
            return;
        }

        long now = LocalNow;
        switch (what.Kind)
        {
            case SimEventKind.Wake when what.Number == _wakeNumber:
                Wake(Touch(now), now);
                break;
            case SimEventKind.Request:
                Answer(Touch(now), what, now);
                break;
            case SimEventKind.Reply:
                TakeReply(Touch(now), what.Peer, (BeatReply)what.Body!, now);
                break;
            case SimEventKind.GiveUp when _outstanding[what.Peer] == what.Number:
                _outstanding[what.Peer] = -1;
                Touch(now).BeatFailed(what.Peer, what.Number, now);
                break;
            case SimEventKind.Ready:
                Touch(now).SetReady(now);
                break;
            case SimEventKind.FloorKnown when Core.Epoch == (long)what.Body!:
                Say($"learns that the database's highest epoch is {SimTrace.Epoch(what.Number)}");
                FloorTold = what.Number;
                _floorAskedFor = 0;
                Touch(now).ConfirmEpochFloor(what.Number, (long)what.Body!, now);
                break;
            case SimEventKind.Commit:
                Commit(Core, (SimWriter)what.Body!, now);
                return;
            case SimEventKind.Leave:
                Inside--;
                break;
            default:
                return;
        }

        Settle(now);
    }

    /// <summary>An operator's step-down or this node's own.</summary>
    public HandoffStart StepDown(string? to, HandoffReason reason)
    {
        long now = LocalNow;
        var start = Touch(now).BeginHandoff(to, reason, now);
        if (start.Result == HandoffResult.Accepted)
            _world.Counts.Handoffs++;

        Say($"is told to step down ({reason}): {start.Result}{(start.Successor is null ? "" : $", for {start.Successor}")}");
        Settle(now);
        return start;
    }

    /// <summary>An operator's pause, as opposed to a stop of the process.</summary>
    public HandoffStart StandAside(string? to)
    {
        long now = LocalNow;
        var start = Touch(now).Pause(to, now);
        Say($"is told not to stand: {start.Result}{(start.Successor is null ? "" : $", for {start.Successor}")}");
        Settle(now);
        return start;
    }

    public void SetTrouble(string? trouble)
    {
        long now = LocalNow;
        Say(trouble is null ? "its application recovers" : $"its application falls ill: {trouble}");
        Touch(now).SetTrouble(trouble, now);
        Settle(now);
    }

    /// <summary>Nothing keeps it from standing any more.</summary>
    public void StandAgain()
    {
        if (Core is null || Paused || Core.Standing.Stands)
            return;

        long now = LocalNow;
        Say("is told to stand");
        Touch(now).Resume(now);
        Core.SetTrouble(null, now);
        Settle(now);
    }

    /// <summary>SIGTERM: hand over if leading, then end; the end is forced when draining takes too long.</summary>
    public void Terminate(Action whenStopped)
    {
        if (Core is null || Paused || _stopping)
            return;

        long now = LocalNow;
        Say("gets SIGTERM");
        _stopping = true;
        _whenStopped = whenStopped;
        Touch(now).SetDraining(now);
        if (Core.IsLeaderAt(now))
        {
            Core.BeginHandoff(null, HandoffReason.Shutdown, now);
            _world.Counts.Handoffs++;
        }

        int life = Life;
        _world.Schedule(_world.Now + Setup.DrainMicros + Setup.LeaseMicros * 2, () => Stop(life, "forced to end"));
        Settle(now);
    }

    private void Stop(int life, string why)
    {
        if (Core is null || Life != life)
            return;

        Crash(why);
        _whenStopped?.Invoke();
    }

    /// <summary>The last look at the core before it is called, for checkers that need to know what a call changed.</summary>
    private ElectionCore Touch(long now)
    {
        if (!Touched)
        {
            Touched = true;
            Before = new LeadershipBefore(CoreView.HoldsLease(Core!, now), Core!.Epoch, Core.Generation);
        }

        return Core!;
    }

    private void Say(string what) => _world.Trace.Line(_world.Now, Name, what);
}

/// <summary>What a node could say of itself at this same instant before the event.</summary>
internal readonly record struct LeadershipBefore(bool Led, long Epoch, long Generation);
