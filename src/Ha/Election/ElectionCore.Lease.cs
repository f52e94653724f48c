namespace Ha.Election;

/// <summary>Being leader: the lease, its renewal, a higher epoch under way, and losing it.</summary>
internal sealed partial class ElectionCore
{
    private const int BarredPatiences = 5;

    private long _selfAckUntil = Peer.Never;
    private long _selfAckSentAt = Peer.Never;
    private long _selfBumpUntil = Peer.Never;
    private long _bumpEpoch;
    private long _releasedUpTo;
    private long _gaveUpAt = Peer.Never;
    private long _leadSince;
    private long _revalidateFrom = Peer.Never;
    private bool _floorConfirmed = true;
    private long _floorAwaitedSince;
    private long _barredUntil = Peer.Never;

    /// <summary>When this node's lease ends unless renewed; in the distant past unless it leads.</summary>
    public long LeaseUntil { get; private set; } = Peer.Never;

    /// <summary>True when the owner should ask the application for its stored epoch and call <see cref="ConfirmEpochFloor"/>.</summary>
    public bool NeedsEpochFloor => Role == NodeRole.Leader && !_floorConfirmed && _bumpEpoch == 0;

    /// <summary>The one definition of "leads": evaluated at each use, never kept.</summary>
    public bool IsLeaderAt(long now) => now < ValidUntil;

    /// <summary>Until when this node leads as far as it knows now; in the distant past when it does not.</summary>
    public long ValidUntil =>
        Role == NodeRole.Leader && _revalidateFrom == Peer.Never && _floorConfirmed ? LeaseUntil : Peer.Never;

    /// <summary>
    /// Tells the highest epoch that was stored behind the application's fence when <paramref name="epoch"/> was put
    /// there. An answer for an earlier epoch of this node confirms nothing. With a quorum it may come again later: whoever
    /// has raised the fence above this leader's epoch since does not belong to this cluster, and nothing of this leader
    /// would get through any more.
    /// </summary>
    public void ConfirmEpochFloor(long floor, long epoch, long now)
    {
        Advance(now, WallAt(now));
        SeeEpoch(floor);
        if (NeedsEpochFloor && epoch == Epoch)
        {
            if (floor < Epoch)
            {
                _floorConfirmed = true;
            }
            else
            {
                StartBump(now);
            }
        }
        else if (Role == NodeRole.Leader && _config.Majority && epoch == Epoch && floor > Epoch && _bumpEpoch == 0)
        {
            StartBump(now);
        }

        Advance(now, WallAt(now));
    }

    private void AdvanceLease(long now)
    {
        if (Role == NodeRole.Leader && now >= LeaseUntil)
        {
            var successor = _handoff.Phase == HandoffPhase.Lapsing ? _handoff.Successor?.Id : null;
            GiveUp(now, successor, ElectionEventKind.LeadershipLapsed, "not renewed in time");
            if (!_config.Majority)
            {
                _voter.ExtendQuarantine(now + _config.LeaseMicros);
                _wasQuarantined = true;
            }
        }
    }

    /// <summary>
    /// A leader whose application cannot reach its own store admits no write, and keeps everyone else from it: another
    /// node may do better, if there is one. For a while this one does not stand again.
    /// </summary>
    private void AdvanceFence(long now)
    {
        if (NeedsEpochFloor && _handoff.Phase == HandoffPhase.None && now - _floorAwaitedSince >= _config.FencePatienceMicros
            && Begin(null, HandoffReason.FenceUnreachable, now).Result == HandoffResult.Accepted)
        {
            _barredUntil = now + BarredPatiences * _config.FencePatienceMicros;
        }
    }

    private void AwaitFloor(long now)
    {
        _floorConfirmed = !_config.AwaitEpochFloor;
        _floorAwaitedSince = now;
    }

    private void BecomeLeader(long now)
    {
        Role = NodeRole.Leader;
        _campaignUntil = Peer.Never;
        _leadSince = now;
        AwaitFloor(now);
        _known = default;
        _successor = null;
        if (!_config.Majority)
        {
            LeaseUntil = now + ElectionConfig.Credit(_config.LeaseMicros);
        }

        Report(ElectionEventKind.LeadershipWon, null, Epoch, "enough votes");
        RenewOwnVote(now);
        RequestBeats();
    }

    private void BecomeFollower()
    {
        InvalidatePromises();
        Role = NodeRole.Follower;
        Epoch = 0;
        _campaignUntil = Peer.Never;
        EndHandoff();
        _floorConfirmed = true;
    }

    /// <summary>No promise of an earlier term may count in a later one.</summary>
    private void InvalidatePromises()
    {
        Generation++;
        foreach (var peer in _peers)
        {
            peer.ClearPromises();
        }

        _selfAckUntil = _selfAckSentAt = _selfBumpUntil = Peer.Never;
        _bumpEpoch = 0;
        _revalidateFrom = Peer.Never;
        LeaseUntil = Peer.Never;
    }

    /// <summary>
    /// Ends leadership for good: what is released can never be won back under the same epoch. The release names the
    /// highest epoch ever proposed, a bump under way included.
    /// </summary>
    private void GiveUp(long now, string? successor, ElectionEventKind kind, string why)
    {
        Report(kind, successor, Epoch, why);
        _releasedUpTo = _lastProposed;
        _gaveUpAt = now;
        _successor = successor;
        BecomeFollower();
        _voter.Release(_self, _releasedUpTo, successor, now);
        if (successor is not null)
        {
            _holdOffUntil = now + 2 * _config.IntervalMicros;
        }

        RequestBeats();
    }

    /// <summary>True once every member that is heard has answered a request that tells of the last release.</summary>
    public bool ReleaseIsKnown(long now) =>
        Array.TrueForAll(_peers, peer => peer.LastAckedSend >= _gaveUpAt || !peer.IsAlive(now, _config.LeaseMicros));

    private void RenewOwnVote(long now)
    {
        if (Role != NodeRole.Leader || _handoff.Phase == HandoffPhase.Lapsing)
        {
            return;
        }

        var bumping = _bumpEpoch != 0;
        var epoch = bumping ? _bumpEpoch : Epoch;
        var answer = _voter.Ask(bumping ? BeatOp.Acquire : BeatOp.Renew, _self, epoch, _config.LeaseMicros, now, deferToLower: false);
        if (answer.Granted)
        {
            _selfAckUntil = Math.Max(_selfAckUntil, now + ElectionConfig.Credit(_config.LeaseMicros));
            _selfAckSentAt = now;
            _selfBumpUntil = bumping ? _selfAckUntil : Peer.Never;
        }
        else if (answer.Refusal == Refusal.EpochTooLow && !bumping)
        {
            StartBump(now);
            return;
        }

        if (!_config.Majority)
        {
            LeaseUntil = now + ElectionConfig.Credit(_config.LeaseMicros);
        }

        CountPromises(now);
    }

    /// <summary>The lease lasts as long as the M-th longest promise.</summary>
    private void CountPromises(long now)
    {
        if (Role != NodeRole.Leader)
        {
            return;
        }

        if (_config.Majority)
        {
            LeaseUntil = NthLargest(_selfAckUntil, static peer => peer.AckUntil, now);
            if (_revalidateFrom != Peer.Never && NthLargest(_selfAckSentAt, static peer => peer.AckSentAt, now) >= _revalidateFrom)
            {
                _revalidateFrom = Peer.Never;
            }
        }
        else if (_revalidateFrom != Peer.Never && AllHeardHaveAckedSince(_revalidateFrom, now))
        {
            _revalidateFrom = Peer.Never;
        }

        if (_bumpEpoch != 0 && NthLargest(_selfBumpUntil, static peer => peer.BumpAckUntil, now) > now)
        {
            SwitchToBumpedEpoch(now);
        }
    }

    private long NthLargest(long own, Func<Peer, long> value, long now)
    {
        _ranking[0] = own;
        var count = 1;
        foreach (var peer in _peers)
        {
            if (!IsDuplicate(peer, now))
            {
                _ranking[count++] = value(peer);
            }
        }

        var needed = VotesNeeded(now);
        if (count < needed)
        {
            return Peer.Never;
        }

        var values = _ranking.AsSpan(0, count);
        values.Sort();
        return values[count - needed];
    }

    private bool AllHeardHaveAckedSince(long since, long now)
    {
        foreach (var peer in _peers)
        {
            if (CountsAsVoter(peer, now) && peer.LastAckedSend < since)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Takes a higher epoch without giving the lease up: same holder, role stays leader, never cancelled. The switch
    /// needs a quorum at the new epoch; off mode has none and switches at once.
    /// </summary>
    private void StartBump(long now)
    {
        _bumpEpoch = NextEpoch(now, WallAt(now));
        _selfBumpUntil = Peer.Never;
        foreach (var peer in _peers)
        {
            peer.BumpAckUntil = Peer.Never;
        }

        if (!_config.Majority)
        {
            SwitchToBumpedEpoch(now);
        }

        RenewOwnVote(now);
        RequestBeats();
    }

    private void SwitchToBumpedEpoch(long now)
    {
        Epoch = _bumpEpoch;
        _bumpEpoch = 0;
        AwaitFloor(now);
        Report(ElectionEventKind.EpochBumped, null, Epoch, "a member had seen a higher epoch");
    }
}
