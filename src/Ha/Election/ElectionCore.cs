namespace Ha.Election;

/// <summary>
/// The election of one node as a pure state machine: time and messages in, decisions out; no clock, no I/O, no lock.
/// Its owner calls it under one lock, sends what <see cref="WantsBeat"/> asks for, and calls <see cref="Tick"/> no
/// later than <see cref="NextDeadline"/>. Every <c>now</c> is microseconds of one monotonic clock, every <c>wall</c>
/// unix microseconds. The rules and why each exists: docs/protocol.md.
/// </summary>
internal sealed partial class ElectionCore : ILeadershipCore
{
    private const long ClockJumpMicros = 100_000;
    private const long MaxWallSkewMicros = 60_000_000;
    private const long MinRankDelayMicros = 2_000;

    private readonly ElectionConfig _config;
    private readonly Holder _self;
    private readonly Voter _voter;
    private readonly Peer[] _peers;
    private readonly List<ElectionEvent> _events = [];
    private readonly long[] _ranking;
    private readonly long _createdAt;

    private long _seq;
    private long _maxEpochSeen;
    private long _nextRound;
    private long _lastNow;
    private long _lastWall;
    private bool _listens;
    private bool _ready;
    private bool _draining;
    private bool _wasQuarantined;

    /// <summary>Starts in quarantine: an earlier instance may have promised this node's vote and forgotten it.</summary>
    public ElectionCore(ElectionConfig config, long now, long wall)
    {
        _config = config;
        _self = new Holder(config.NodeId, config.Incarnation);
        var quarantine = config.Voters == 1 ? 0 : config.QuarantineMicros;
        _voter = new Voter(now + quarantine, 2 * config.IntervalMicros, config.LeaseMicros, votesInQuarantine: !config.Majority);
        _peers = [.. config.Peers.Select(target => new Peer(target))];
        _ranking = new long[config.Voters];
        _wasQuarantined = quarantine > 0;
        (_createdAt, _nextRound, _lastNow, _lastWall) = (now, now, now, wall);
        Standing = new Standing((kind, why) => Report(kind, null, Epoch, why), StandingChanged);
        Advance(now, wall);
    }

    public NodeRole Role { get; private set; }

    /// <summary>The epoch this node leads or campaigns with; 0 as a follower.</summary>
    public long Epoch { get; private set; }

    /// <summary>Grows whenever promises are invalidated: lapse, release, cancel and the start of a campaign.</summary>
    public long Generation { get; private set; }

    /// <summary>Call <see cref="Tick"/> at this time at the latest.</summary>
    public long NextDeadline { get; private set; }

    public int PeerCount => _peers.Length;

    internal Voter Voter => _voter;

    /// <summary>Until when this node counts its own vote.</summary>
    internal long SelfAckUntil => _selfAckUntil;

    internal long ReleasedUpTo => _releasedUpTo;

    internal long CancelledEpoch => _cancelledEpoch;

    public Peer PeerAt(int peer) => _peers[peer];

    /// <summary>
    /// The server listens, so this node is the process behind its URL and sends from now on. Where the quarantine is over or nearly so, it
    /// lasts for another lease: what is learned in it, who leads in off mode and who was promised more by another configuration, takes
    /// hearing the others. Not once one was heard, though: votes may have been given since.
    /// </summary>
    public void SetListening(long now)
    {
        if (_listens)
        {
            return;
        }

        _listens = true;
        if (_peers.Length > 0 && Array.TrueForAll(_peers, static peer => peer.LastHeard == Peer.Never))
        {
            _voter.ExtendQuarantine(now + _config.LeaseMicros);
            _wasQuarantined = true;
        }

        RequestBeats();
        Advance(now, WallAt(now));
    }

    /// <summary>The application listens and could lead.</summary>
    public void SetReady(long now)
    {
        SetListening(now);
        _ready = true;
        Advance(now, WallAt(now));
    }

    /// <summary>This process is going away: it is never eligible again.</summary>
    public void SetDraining(long now)
    {
        _draining = true;
        if (Role == NodeRole.Candidate)
        {
            CancelCampaign(now, "shutting down");
        }

        RequestBeats();
        Advance(now, WallAt(now));
    }

    public void Tick(long now, long wall) => Advance(now, wall);

    public bool IsQuarantined(long now) => _voter.IsQuarantined(now);

    public bool IsReady => _ready;

    public bool IsAlive(int peer, long now) => _peers[peer].IsAlive(now, _config.LeaseMicros);

    /// <summary>True while a member is known to use the NodeID of another one, or this node's.</summary>
    public bool IsDuplicate(int peer, long now) => IsDuplicate(_peers[peer], now);

    /// <summary>True when this node could lead; the candidate's own half of "lowest alive eligible NodeID".</summary>
    public bool IsEligible(long now) =>
        _ready && !_draining && Standing.Stands && !_config.Witness && now >= _barredUntil && !_voter.IsQuarantined(now)
        && (!_config.Majority || Reach(now) >= _config.Quorum);

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

    /// <summary>Members heard and acknowledged within the lease, this node included.</summary>
    private int Reach(long now)
    {
        var reach = 1;
        foreach (var peer in _peers)
        {
            if (peer.IsReached(now, _config.LeaseMicros))
            {
                reach++;
            }
        }

        return reach;
    }

    private bool IsLower(Peer peer) => string.CompareOrdinal(peer.Id, _config.NodeId) < 0;

    private void Report(ElectionEventKind kind, string? node, long epoch, string why) =>
        _events.Add(new ElectionEvent(kind, node, epoch, why));

    private void RequestBeats()
    {
        foreach (var peer in _peers)
        {
            peer.Due = true;
        }
    }

    private long WallAt(long now) => _lastWall + (now - _lastNow);

    /// <summary>Lets time pass up to <paramref name="now"/>; every entry point begins or ends with it.</summary>
    private void Advance(long now, long wall)
    {
        now = Math.Max(now, _lastNow);
        ExpireGrant(now);
        EndQuarantine(now);
        ExpireKnownLeader(now);
        WatchPeers(now);
        AdvanceLease(now);
        CheckClocks(now, wall); // after the lapse: a stop longer than the lease must not renew what has run out
        AdvanceCampaign(now, wall);
        AdvanceFence(now);
        AdvanceHandoff(now);
        if (now >= _nextRound)
        {
            StartRound(now);
        }

        NextDeadline = ComputeDeadline(now);
    }

    private void StartRound(long now)
    {
        _nextRound = Math.Max(_nextRound + _config.IntervalMicros, now + _config.IntervalMicros / 2);
        foreach (var peer in _peers)
        {
            peer.Retried = false;
            peer.Due = true;
        }

        RenewOwnVote(now);
        ExplainNobody(now);
    }

    private void ExpireGrant(long now)
    {
        if (_voter.Expire(now) is not { } expired)
        {
            return;
        }

        foreach (var peer in _peers)
        {
            peer.Suspect |= peer.Id == expired.Id && peer.Knows(expired.Incarnation);
        }

        RequestBeats();
    }

    private void EndQuarantine(long now)
    {
        if (_wasQuarantined && !_voter.IsQuarantined(now))
        {
            _wasQuarantined = false;
            Report(ElectionEventKind.QuarantineEnded, null, 0, "may vote from now on");
            RequestBeats();
        }
    }

    /// <summary>
    /// Wall and lease clock drifting apart is the trace of a suspend the lease clock missed, or of a harmless clock
    /// step. Which one cannot be told, so a leader proves itself by a round sent after the jump.
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
            _revalidateFrom = now;
            RenewOwnVote(now);
            RequestBeats();
        }
        else if (Role == NodeRole.Candidate)
        {
            CancelCampaign(now, "the clock jumped");
        }
    }

    private void WatchPeers(long now)
    {
        foreach (var peer in _peers)
        {
            var up = peer.IsAlive(now, _config.LeaseMicros);
            if (up != peer.WasUp)
            {
                peer.WasUp = up;
                Report(up ? ElectionEventKind.PeerUp : ElectionEventKind.PeerDown, peer.Id ?? peer.Target, 0, up ? "heard" : "silent");
            }

            if (up && peer.Eligible)
            {
                peer.HealthySince = Math.Min(peer.HealthySince, now);
            }
            else if (up && peer.Paused)
            {
                peer.HealthySince = long.MaxValue; // its operator's wish, and no loss
            }
            else if (peer.HealthySince != long.MaxValue)
            {
                peer.CountLoss(now);
            }
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

        Consider(_voter.Until);
        Consider(_voter.QuarantineUntil);
        Consider(_known.Until);
        Consider(_campaignUntil);
        Consider(_campaignAt);
        Consider(_handoffDeadline);
        Consider(LeaseUntil);
        if (Role == NodeRole.Follower)
        {
            Consider(_backoffUntil);
            Consider(_holdOffUntil);
            Consider(_voter.DefersUntil);
            foreach (var peer in _peers)
            {
                Consider(Math.Max(peer.VoteFreeAt, peer.DefersUntil));
            }
        }

        return next;
    }
}
