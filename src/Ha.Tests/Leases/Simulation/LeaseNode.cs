using Ha.Election;
using Ha.Leases;
using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

/// <summary>
/// One machine with one process on it: the owner of a production core, as <c>LeaseRunner</c> is, but on simulated time; with
/// writers inside its gate.
/// </summary>
internal sealed class LeaseNode
{
    private const int WakesPerInstantMax = 20;

    private readonly LeaseWorld _world;
    private readonly List<SimEvent> _inbox = [];
    private long _wakeAt;
    private long _wakeNumber;
    private long _sameInstant;
    private int _wakesInInstant;
    private long _floorAskedFor;
    private bool _stopping;
    private double _reads;
    private long _readsAt;
    private long _wokenAt;

    public LeaseNode(LeaseWorld world, int index)
    {
        _world = world;
        Index = index;
        Name = $"n{index + 1}";
        var random = world.Random;
        long skew = world.Settings.WallSkewMicros / 2;
        Clock = new NodeClock(random.Between(1_000_000_000, 2_000_000_000), world.Settings.Rate(random), random.Between(-skew, skew));
    }

    public int Index { get; }
    public string Name { get; }
    public NodeClock Clock { get; }

    /// <summary>Null while no process runs.</summary>
    public LeaseCore? Core { get; private set; }

    public Guid Incarnation { get; private set; }

    /// <summary>Counts process starts and ends; an event of an earlier life is dropped.</summary>
    public int Life { get; private set; }

    public bool Paused { get; private set; }

    /// <summary>True: it is not started again.</summary>
    public bool Gone { get; set; }

    public int Inside { get; private set; }
    public long CutUntil { get; set; }

    /// <summary>Until then the store's answers are late by <see cref="LateBy"/>.</summary>
    public long LateUntil { get; set; }

    public long LateBy { get; set; }
    public long FenceAwayUntil { get; set; }

    /// <summary>Of the checker: what this node was at the last event.</summary>
    public (bool Held, int Life, long Generation, long Epoch) Last { get; set; }

    public long LocalNow => Clock.Local(_world.Now);

    private LeaseSettings Settings => _world.Settings;

    /// <summary>The strictest reading of "leads": also while writes wait for the floor or for a renewal after a jump.</summary>
    public bool HoldsLease() =>
        Core is { } core && LocalNow is var now && (core.IsLeaderAt(now) || (core.Role == NodeRole.Leader && now < core.LeaseUntil));

    public bool Leads() => Core is { } core && core.IsLeaderAt(LocalNow);

    public void Start()
    {
        Incarnation = _world.Random.NextGuid();
        Life++;
        _wakeAt = long.MaxValue;
        _floorAskedFor = 0;
        _stopping = false;
        Inside = 0;
        (_reads, _readsAt, _wokenAt) = (0, LocalNow, LocalNow - Settings.LeaseMicros);
        Say("starts with an empty memory");
        var jitter = _world.Random;
        Core = new LeaseCore(
            new LeaseConfig
            {
                NodeId = Name,
                Incarnation = Incarnation,
                Target = $"http://{Name}:1",
                PublicTarget = "",
                LeaseMicros = Settings.LeaseMicros,
                DrainMicros = Settings.DrainMicros,
                AwaitEpochFloor = Settings.AwaitFloor,
                FencePatienceMicros = Settings.FencePatienceMicros,
                Jitter = () => Settings.Jitter ? jitter.Index(1000) / 1000.0 : 0,
                StoreDescription = "the store",
            },
            LocalNow,
            Clock.Wall(_world.Now));
        _world.Schedule(_world.Now + _world.Random.Between(0, Settings.LeaseMicros), new SimEvent(SimEventKind.Ready, Index, Life));
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

    public void Pause()
    {
        if (Core is null || Paused)
            return;

        Say("stops: its process gets no CPU");
        Paused = true;
    }

    /// <summary>Work goes on; what arrived meanwhile is handled in any order.</summary>
    public void Resume()
    {
        if (!Paused)
            return;

        Paused = false;
        Say($"goes on with {_inbox.Count} events waiting");
        for (int i = _inbox.Count - 1; i > 0; i--)
        {
            int other = _world.Random.Index(i + 1);
            (_inbox[i], _inbox[other]) = (_inbox[other], _inbox[i]);
        }

        // One microsecond apart: the invariants look between any two of them.
        long at = _world.Now;
        foreach (var waiting in _inbox)
            _world.Schedule(at++, waiting);

        _inbox.Clear();
    }

    public void WakeUp() => Deliver(new SimEvent(SimEventKind.Request, Index, Life));

    public void Deliver(in SimEvent what)
    {
        if (Core is null || what.Life != Life)
            return;

        if (Paused)
        {
            _inbox.Add(what);
            return;
        }

        long now = LocalNow;
        long wall = Clock.Wall(_world.Now);
        switch (what.Kind)
        {
            case SimEventKind.Wake when what.Number == _wakeNumber:
                _wakeAt = long.MaxValue;
                _wakesInInstant = now == _sameInstant ? _wakesInInstant + 1 : 0;
                _sameInstant = now;
                if (_wakesInInstant > WakesPerInstantMax)
                    _world.Break("timer: a deadline moves on once it was served", $"{Name} asks to be woken at {now} again and again");

                Core.Tick(now, wall);
                break;
            case SimEventKind.Request:
                _wokenAt = now;
                Core.Woken(now);
                break;
            case SimEventKind.Reply:
                Core.Answered(what.Number, (LeaseAnswer)what.Body!, now, wall);
                break;
            case SimEventKind.GiveUp:
                Core.Failed(what.Number, "no answer", now, wall);
                break;
            case SimEventKind.Ready:
                Core.SetReady(now);
                _reads--;
                break;
            case SimEventKind.FloorKnown when Core.Epoch == (long)what.Body!:
                _floorAskedFor = 0;
                Core.ConfirmEpochFloor(what.Number, (long)what.Body!, now);
                break;
            case SimEventKind.Commit:
                Commit(Core, (LeaseWriter)what.Body!, now);
                break;
            case SimEventKind.Leave:
                Inside--;
                break;
            default:
                return;
        }

        if (Core is not null)
            Settle(now);
    }

    public void StepDown(string? to)
    {
        if (Core is null || Paused)
            return;

        var start = Core.BeginHandoff(to, HandoffReason.StepDown, LocalNow);
        _world.Counts.Handoffs += start.Result == HandoffResult.Accepted ? 1 : 0;
        Say($"is told to step down: {start.Result}");
        Settle(LocalNow);
    }

    /// <summary>Paused, ill, or neither any more.</summary>
    public void ChangeStanding(int what)
    {
        if (Core is null || Paused)
            return;

        if (what == 0)
            Say($"is told not to stand: {Core.Pause(null, LocalNow).Result}");
        else if (what == 1)
            Core.SetTrouble(Core.Standing.Trouble is null ? "its database is gone" : null, LocalNow);
        else
            StandAgain();

        Settle(LocalNow);
    }

    public void StandAgain()
    {
        if (Core is null || Paused)
            return;

        Core.Resume(LocalNow);
        Core.SetTrouble(null, LocalNow);
        Settle(LocalNow);
    }

    /// <summary>SIGTERM: hand over if leading, then end; the end is forced when draining takes too long.</summary>
    public void Terminate()
    {
        if (Core is null || Paused || _stopping)
            return;

        Say("gets SIGTERM");
        _stopping = true;
        long now = LocalNow;
        Core.SetDraining(now);
        _reads--;
        _world.Counts.Handoffs += Core.BeginHandoff(null, HandoffReason.Shutdown, now).Result == HandoffResult.Accepted ? 1 : 0;
        int life = Life;
        _world.Schedule(_world.Now + Settings.DrainMicros + 2 * Settings.LeaseMicros, () => End(life));
        Settle(now);
    }

    public void TryEnterWriter()
    {
        if (Core is not { } core || Paused || core.GateClosed || !core.IsLeaderAt(LocalNow))
            return;

        Inside++;
        var random = _world.Random;
        long length = random.Index(20) == 0
            ? random.Between(Settings.DrainMicros / 2, 2 * Settings.DrainMicros)
            : random.Between(200, 10_000);
        var writer = new LeaseWriter(Incarnation, core.Epoch, core.Generation, Checks: !random.Chance(100));
        _world.Schedule(_world.Now + length, new SimEvent(SimEventKind.Commit, Index, Life, Body: writer));
    }

    private void Commit(LeaseCore core, LeaseWriter writer, long now)
    {
        bool sure = core.IsLeaderAt(now) && core.Epoch == writer.Epoch && core.Generation == writer.Generation;
        int life = Life;
        long delay = sure || !writer.Checks ? _world.Random.Between(50, 2_000) : 0;
        if (delay > 0)
        {
            _world.Schedule(_world.Now + delay, () =>
            {
                if (!_world.Fence.TryWrite(writer, Name) && life == Life && Settings.AwaitFloor && Core!.Epoch == writer.Epoch)
                    AskForFloor(writer.Epoch);
            });
        }

        _world.Schedule(_world.Now + 2 * delay, new SimEvent(SimEventKind.Leave, Index, life));
    }

    private void Settle(long now)
    {
        var core = Core!;
        if (core.GateClosed && Inside == 0)
            CompleteDrain(core, now);

        if (core.TakeCall(now, Clock.Wall(_world.Now)) is { } call)
            Ask(core, call, now);

        foreach (var told in core.TakeEvents())
        {
            if (told.Kind is ElectionEventKind.LeadershipLapsed or ElectionEventKind.LeadershipReleased)
                _reads--;

            if (_world.Trace.On)
                Say(SimStory.Tell(told));
        }

        if (core.NeedsEpochFloor && _floorAskedFor != core.Epoch)
        {
            _floorAskedFor = core.Epoch;
            AskForFloor(core.Epoch);
        }

        ScheduleWake(core);
        if (_stopping && core.ReleaseIsKnown(now))
        {
            int life = Life;
            _world.Schedule(_world.Now + _world.Random.Between(1_000, 20_000), () => End(life));
        }
    }

    private void CompleteDrain(LeaseCore core, long now)
    {
        bool mayGo = _stopping || core.HandoffPhase == HandoffPhase.Lapsing || now >= core.LeaseUntil || core.MembersAt == Peer.Never
            || core.Members.Any(member => member.Eligible && member.NodeId != Name && core.IsAlive(member, now));
        core.CompleteDrain(now);
        if (!mayGo && core.Role != NodeRole.Leader)
            _world.Break("handoff: nothing is given up while nobody could take over", Name);
    }

    private void Ask(LeaseCore core, StoreCall call, long now)
    {
        if (call.Write is { HolderId: null } && core.Role == NodeRole.Leader)
            _world.Break("release: the role is given up before the store is told", $"{Name} releases while it leads");

        if (call.Write is null && core.Role == NodeRole.Follower)
            CountRead(now);

        _world.Counts.Calls++;
        _world.Store.Ask(this, call);
        _world.Schedule(Clock.RealAt(now + core.CallTimeoutMicros), new SimEvent(SimEventKind.GiveUp, Index, Life, Number: call.Id));
    }

    /// <summary>A bucket that runs over when a follower asks more often than twelve times a lease, or thirty while it is woken.</summary>
    private void CountRead(long now)
    {
        double perLease = now - _wokenAt <= Settings.LeaseMicros ? 31 : 12.5;
        _reads = Math.Max(0, _reads - (now - _readsAt) * perLease / Settings.LeaseMicros) + 1;
        _readsAt = now;
        if (_reads > 6)
            _world.Break("polling: a follower asks no more often than it says", $"{Name} asks again and again");
    }

    private void ScheduleWake(LeaseCore core)
    {
        if (core.NextDeadline == _wakeAt)
            return;

        _wakeAt = core.NextDeadline;
        long real = Clock.RealAt(_wakeAt);
        if (real == long.MaxValue)
            return;

        long late = _world.Random.Between(0, Settings.TimerSlopMicros);
        _world.Schedule(real + late, new SimEvent(SimEventKind.Wake, Index, Life, Number: ++_wakeNumber));
    }

    private void AskForFloor(long epoch)
    {
        int life = Life;
        var holder = Incarnation;
        long half = _world.Random.Between(100, 3_000);
        _world.Schedule(_world.Now + half, Raise);

        void Raise()
        {
            if (_world.Now < FenceAwayUntil)
            {
                _world.Schedule(_world.Now + Settings.LeaseMicros / 10, Raise);
                return;
            }

            long before = _world.Fence.Raise(epoch, holder, Name);
            _world.Schedule(_world.Now + half, new SimEvent(SimEventKind.FloorKnown, Index, life, Number: before, Body: epoch));
        }
    }

    private void End(int life)
    {
        if (Life != life)
            return;

        Crash("ends after SIGTERM");
        if (!Gone)
            _world.Schedule(_world.Now + _world.Random.Between(1_000, Settings.LeaseMicros), StartAgain);
    }

    public void StartAgain()
    {
        if (Core is null && !Gone)
            Start();
    }

    private void Say(string what) => _world.Trace.Line(_world.Now, Name, what);
}
