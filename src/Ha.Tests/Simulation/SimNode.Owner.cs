using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>The owner's loop: timer, requests, replies, and what follows each of them.</summary>
internal sealed partial class SimNode
{
    /// <summary>More timer rounds than this at one instant of the local clock are an endless loop in production.</summary>
    private const int WakesPerInstantMax = 20;

    private const long StoreRetryMicros = 10_000;

    private long _floorAskedFor;

    /// <summary>The highest epoch that the application's database had shown when it was last asked.</summary>
    public long FloorTold { get; private set; }

    private void Wake(ElectionCore core, long now)
    {
        _wakeAt = long.MaxValue;
        _wakesInInstant = now == _sameInstant ? _wakesInInstant + 1 : 0;
        _sameInstant = now;
        if (_wakesInInstant > WakesPerInstantMax)
            _world.Break("timer: a deadline moves on once it was served", $"{Name} asks to be woken at {now} again and again");

        core.Tick(now, Clock.Wall(_world.Now));
    }

    private void Answer(ElectionCore core, in SimEvent what, long now)
    {
        var beat = (Beat)what.Body!;
        var reply = core.Receive(beat, now, Clock.Wall(_world.Now));
        if (_world.Trace.On && SimStory.Tell(beat) is { } asked)
            Say($"hears {beat.From.Id}: {asked} -> {SimStory.Tell(reply) ?? "ok"}");

        _world.Network.Carry(Index, new SimEvent(SimEventKind.Reply, what.Peer, Peer: (int)what.Number, Body: reply));
    }

    private void TakeReply(ElectionCore core, int peer, BeatReply reply, long now)
    {
        if (peer >= _outstanding.Length)
            return;

        bool awaited = _outstanding[peer] == reply.Seq && reply.ToIncarnation == Incarnation;
        if (awaited)
            _outstanding[peer] = -1;
        else if (!_world.Settings.LateReplies)
            return;

        if (_world.Trace.On && SimStory.Tell(reply) is { } told)
            Say($"gets {(awaited ? "" : "late ")}from {reply.From.Id}: {told}");

        core.ReceiveReply(peer, reply, now, Clock.Wall(_world.Now));
    }

    private void Settle(long now)
    {
        var core = Core!;
        Tell(core);
        if (core.GateClosed && Inside == 0)
        {
            CompleteDrain(core, now);
            Tell(core);
        }

        for (int peer = 0; peer < _outstanding.Length; peer++)
        {
            if (_outstanding[peer] < 0 && core.WantsBeat(peer))
                Send(core, peer, now);
        }

        if (core.NeedsEpochFloor && _floorAskedFor != core.Epoch)
        {
            _floorAskedFor = core.Epoch;
            AskForFloor(core.Epoch);
        }

        ScheduleWake(core);
        if (_stopping && !core.IsLeaderAt(now))
        {
            int life = Life;
            _world.Schedule(_world.Now + _world.Random.Between(1_000, 20_000), () => Stop(life, "ends after SIGTERM"));
        }
    }

    private void CompleteDrain(ElectionCore core, long now)
    {
        bool mayGo = _stopping || core.HandoffPhase == HandoffPhase.Lapsing || now >= core.LeaseUntil
            || Enumerable.Range(0, core.PeerCount).Any(peer => core.PeerAt(peer).Eligible && core.IsAlive(peer, now));
        Touch(now).CompleteDrain(now);
        if (!mayGo && core.Role != NodeRole.Leader)
            _world.Break("handoff: nothing is given up while nobody could take over", Name);
    }

    private void Send(ElectionCore core, int peer, long now)
    {
        var beat = Touch(now).CreateBeat(peer, now, Clock.Wall(_world.Now));
        _outstanding[peer] = beat.Seq;
        HighestEpochSaid = beat.From.MaxEpoch;
        long patience = Clock.RealAt(now + Setup.IntervalMicros * 3 / 2);
        int to = _worldOfPeer[peer];
        var giveUp = new SimEvent(SimEventKind.GiveUp, Index, Life, peer, beat.Seq);
        if (to >= 0 && _world.Nodes[to].Core is not null)
            _world.Network.Carry(Index, new SimEvent(SimEventKind.Request, to, Peer: Index, Number: peer, Body: beat));
        else if (_world.Random.Chance(_world.Settings.RefusePermille))
            patience = _world.Now + _world.Network.Delay() + _world.Network.Delay();

        _world.Schedule(patience, giveUp);
    }

    private void ScheduleWake(ElectionCore core)
    {
        long at = core.NextDeadline;
        if (at == _wakeAt)
            return;

        _wakeAt = at;
        long real = Clock.RealAt(at);
        if (real == long.MaxValue)
            return;

        long late = _world.Random.Between(0, _world.Settings.TimerSlopMicros);
        _world.Schedule(
            Math.Max(real + late, StarvedUntil), new SimEvent(SimEventKind.Wake, Index, Life, Number: ++_wakeNumber));
    }

    private void Tell(ElectionCore core)
    {
        var events = core.TakeEvents();
        for (int i = 0; i < events.Count; i++)
        {
            var told = events[i];
            if (_world.Trace.On)
                Say(SimStory.Tell(told));

            Heard[(int)told.Kind]++;
            if (_world.Settings.SteadyViews)
                _views.Observe(told);
        }
    }

    /// <summary>Until then this node's application cannot reach its database.</summary>
    public long StoreDownUntil { get; set; }

    /// <summary>How often each kind of event was told, over all lives of this node.</summary>
    public int[] Heard { get; } = new int[Enum.GetValues<ElectionEventKind>().Length];

    /// <summary>Stores the new epoch behind the fence, unless a higher one is there, and learns what was there before.</summary>
    private void AskForFloor(long epoch)
    {
        int life = Life;
        var holder = Incarnation;
        long half = _world.Random.Between(100, 3_000);
        _world.Schedule(_world.Now + half, Raise);

        void Raise()
        {
            if (_world.Now < StoreDownUntil)
            {
                _world.Schedule(_world.Now + StoreRetryMicros, Raise);
                return;
            }

            long before = _world.Register.Raise(epoch, holder, Name);
            _world.Schedule(_world.Now + half, new SimEvent(SimEventKind.FloorKnown, Index, life, Number: before, Body: epoch));
        }
    }
}
