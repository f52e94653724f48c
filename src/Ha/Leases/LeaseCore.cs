using Ha.Election;

namespace Ha.Leases;

/// <summary>
/// Leading by a lease in somebody's store, as a pure state machine: time and answers in, calls and decisions out; no clock, no
/// I/O, no lock. The store only keeps one record and replaces it by compare-and-set; who leads, and until when, is decided here
/// and on this node's own clock. Its owner calls it under one lock, performs what <see cref="TakeCall"/> gives it outside that
/// lock, one call at a time, and calls <see cref="Tick"/> no later than <see cref="NextDeadline"/>.
/// </summary>
/// <remarks>
/// Why at most one node leads wherever the store is linearizable, whatever is lost, late or edited by hand: a leader counts its
/// lease from before the write that a yes answers. Every other one waits for a whole lease from the receipt of the first answer
/// that showed that writing, or a later one, and then replaces that very version, which can have changed no more: versions
/// never come back. The absence of a record can: so nobody leads from there, but writes a vacant record and waits for that.
/// </remarks>
internal sealed partial class LeaseCore : ILeadershipCore
{
    private const long ClockJumpMicros = 100_000;

    private readonly LeaseConfig _config;
    private readonly LeaseMember _self;
    private readonly TimeSpan _lease;
    private readonly List<ElectionEvent> _events = [];

    private long _nextRound;
    private long _lastNow;
    private long _lastWall;
    private bool _ready;
    private bool _draining;

    public LeaseCore(LeaseConfig config, long now, long wall)
    {
        _config = config;
        _self = config.Member;
        _lease = TimeSpan.FromMicroseconds(config.LeaseMicros);
        (_nextRound, _lastNow, _lastWall, _pollAt) = (now, now, wall, now);
        Standing = new Standing((kind, why) => Report(kind, null, Epoch, why), StandingChanged);
        Advance(now, wall);
    }

    public NodeRole Role { get; private set; }

    public long Epoch { get; private set; }

    public long Generation { get; private set; }

    public long NextDeadline { get; private set; }

    public bool IsQuarantined(long now) => false;

    public bool IsReady => _ready;

    /// <summary>True when this node could lead.</summary>
    public bool IsEligible(long now) => _ready && !_draining && Standing.Stands && now >= _barredUntil;

    public void Tick(long now, long wall) => Advance(now, wall);

    public void SetReady(long now)
    {
        _ready = true;
        AskSoon(now);
    }

    public void SetDraining(long now)
    {
        _draining = true;
        if (Role == NodeRole.Candidate)
        {
            BecomeFollower();
        }

        AskSoon(now);
    }

    public IReadOnlyList<ElectionEvent> TakeEvents()
    {
        if (_events.Count == 0)
        {
            return [];
        }

        ElectionEvent[] taken = [.. _events];
        _events.Clear();
        return taken;
    }

    /// <summary>So that the others learn through the store what has become of this node.</summary>
    private void AskSoon(long now)
    {
        _pollAt = now;
        Advance(now, WallAt(now));
    }

    private void Report(ElectionEventKind kind, string? node, long epoch, string why) =>
        _events.Add(new ElectionEvent(kind, node, epoch, why));

    private long WallAt(long now) => _lastWall + (now - _lastNow);

    /// <summary>Lets time pass up to <paramref name="now"/>; every entry point begins with it.</summary>
    private void Advance(long now, long wall)
    {
        now = Math.Max(now, _lastNow);
        AdvanceLease(now);
        CheckClocks(now, wall); // after the lapse: a stop longer than the lease must not renew what has run out
        ExpireKnownLeader(now);
        AdvanceFence(now);
        AdvanceHandoff(now);
        if (now >= _nextRound)
        {
            _nextRound = now + _config.IntervalMicros;
            ExplainNobody(now);
        }

        NextDeadline = ComputeDeadline(now);
    }

    /// <summary>
    /// Wall and lease clock drifting apart is the trace of a suspend the lease clock missed, or of a harmless clock
    /// step. Which one cannot be told, so a leader proves itself by a renewal sent after the jump.
    /// </summary>
    private void CheckClocks(long now, long wall)
    {
        var drift = wall - _lastWall - (now - _lastNow);
        (_lastNow, _lastWall) = (now, wall);
        if (Math.Abs(drift) <= ClockJumpMicros)
        {
            return;
        }

        Report(ElectionEventKind.ClockJumped, null, Epoch, $"wall clock moved {drift / 1000} ms against the lease clock");
        if (Role == NodeRole.Leader)
        {
            _trustAfter = _calls;
            _renewAt = now;
        }
        else if (Role == NodeRole.Candidate)
        {
            BecomeFollower();
        }
    }

    private long ComputeDeadline(long now)
    {
        var next = _nextRound;
        void Consider(long at)
        {
            if (at > now && at < next)
            {
                next = at;
            }
        }

        Consider(LeaseUntil);
        Consider(_known.Until);
        Consider(_handoffDeadline);
        Consider(_releaseUntil);
        Consider(_barredUntil);
        if (NeedsEpochFloor)
        {
            Consider(_floorAwaitedSince + _config.FencePatienceMicros);
        }

        return _outstanding is null ? Math.Min(next, Math.Max(now, NextCall(now).At)) : next;
    }
}
