namespace Ha.Election;

/// <summary>Becoming leader: when to ask for votes, when to give up, when it is won.</summary>
internal sealed partial class ElectionCore
{
    /// <summary>An authenticated epoch above this is refused as malformed.</summary>
    public const long MaxEpoch = EpochConverter.MaxEpoch;

    private long _campaignSince = long.MaxValue;
    private long _campaignAt = Peer.Never;
    private long _campaignUntil = Peer.Never;
    private long _backoffUntil = Peer.Never;
    private long _holdOffUntil = Peer.Never;
    private long _lastProposed;
    private long _cancelledEpoch;
    private long _chosenUntil = Peer.Never;
    private bool _slowNetworkReported;

    private void AdvanceCampaign(long now, long wall)
    {
        if (Role == NodeRole.Candidate)
        {
            ReviewCampaign(now);
            return;
        }

        if (Role == NodeRole.Leader || !MayCampaign(now))
        {
            _campaignSince = long.MaxValue;
            _campaignAt = Peer.Never;
            return;
        }

        _campaignSince = Math.Min(_campaignSince, now);
        _campaignAt = _campaignSince + (IsChosen(now) ? 0 : Rank(now) * RankDelayMicros());
        if (now >= _campaignAt)
        {
            StartCampaign(now, wall);
        }
    }

    /// <summary>A continuous pre-vote: asking is allowed once enough votes are believed free, without a round trip.</summary>
    private bool MayCampaign(long now)
    {
        if (!IsEligible(now) || KnowsLeader(now) || now < _backoffUntil || now < _holdOffUntil
            || !_voter.IsFree(now) || HasDuplicateId(now) || HearsForeignMajority(now) || MeetsFixedLeader(now) || OwnVoteDefers(now))
        {
            return false;
        }

        var free = 1;
        foreach (var peer in _peers)
        {
            if (CountsAsVoter(peer, now) && Math.Max(peer.VoteFreeAt, peer.DefersUntil) <= now)
            {
                free++;
            }
        }

        return free >= VotesNeeded(now) && !NetworkIsTooSlow();
    }

    private bool IsChosen(long now) => now < _chosenUntil;

    /// <summary>Asking for votes while the own one would be refused only costs epochs.</summary>
    private bool OwnVoteDefers(long now) => !IsChosen(now) && now < _voter.DefersUntil && DefersToLower(_self.Id, now);

    /// <summary>
    /// Majority mode counts all members, heard or not. Off mode asks every member it hears, quarantined ones included,
    /// so that two nodes that hear each other cannot both lead, not even when they leave quarantine together.
    /// </summary>
    private int VotesNeeded(long now)
    {
        if (_config.Majority)
        {
            return _config.Quorum;
        }

        var needed = 1;
        foreach (var peer in _peers)
        {
            if (CountsAsVoter(peer, now))
            {
                needed++;
            }
        }

        return needed;
    }

    private bool CountsAsVoter(Peer peer, long now) =>
        (_config.Majority ? peer.IsAlive(now, _config.LeaseMicros) : peer.WasHeard(now, _config.LeaseMicros))
        && !IsDuplicate(peer, now) && (!_config.Majority || !peer.Quarantined);

    private int Rank(long now)
    {
        var rank = 0;
        foreach (var peer in _peers)
        {
            if (peer.Eligible && IsLower(peer) && peer.IsAlive(now, _config.LeaseMicros))
            {
                rank++;
            }
        }

        return rank;
    }

    private long RankDelayMicros() => Math.Max(2 * QuorumRoundTripMicros(), MinRankDelayMicros);

    /// <summary>The round trip within which a quorum answers.</summary>
    private long QuorumRoundTripMicros()
    {
        if (_peers.Length == 0)
        {
            return 0;
        }

        var trips = _ranking.AsSpan(0, _peers.Length);
        for (var i = 0; i < _peers.Length; i++)
        {
            trips[i] = _peers[i].RoundTripMicros == 0 ? long.MaxValue / 8 : _peers[i].RoundTripMicros;
        }

        trips.Sort();
        var needed = _config.Majority ? _config.Quorum - 2 : 0;
        return trips[needed] == long.MaxValue / 8 ? 0 : trips[needed];
    }

    private bool NetworkIsTooSlow()
    {
        var slow = 4 * QuorumRoundTripMicros() > _config.IntervalMicros;
        if (slow && !_slowNetworkReported)
        {
            Report(ElectionEventKind.CampaignRefusedSlowNetwork, null, 0,
                $"a round trip takes {QuorumRoundTripMicros() / 1000.0:0.0} ms, more than a quarter of the heartbeat interval");
        }

        _slowNetworkReported = slow;
        return slow;
    }

    private void StartCampaign(long now, long wall)
    {
        var epoch = NextEpoch(now, wall);
        InvalidatePromises();
        Role = NodeRole.Candidate;
        Epoch = epoch;
        _campaignSince = long.MaxValue;
        _campaignAt = Peer.Never;
        _campaignUntil = now + ElectionConfig.Credit(_config.CandidacyMicros);
        _selfAckUntil = Peer.Never;
        var chosen = IsChosen(now);
        _chosenUntil = Peer.Never;
        foreach (var peer in _peers)
        {
            peer.Vote = VoteState.Pending;
            peer.VoteRetries = 0;
            peer.Due = true;
        }

        Report(ElectionEventKind.CampaignStarted, null, epoch, chosen ? "named successor" : "no leader known, votes are free");
        var own = _voter.Ask(BeatOp.Acquire, _self, epoch, _config.CandidacyMicros, now, !chosen && DefersToLower(_self.Id, now));
        if (own.Granted)
        {
            _selfAckUntil = _selfAckSentAt = now;
            _selfAckUntil = _campaignUntil;
            ReviewCampaign(now);
        }
        else
        {
            CancelCampaign(now, "own vote refused");
        }
    }

    /// <summary>Won, still possible, or impossible: then cancelled at once, so that its votes are free for another.</summary>
    private void ReviewCampaign(long now)
    {
        var possible = _selfAckUntil > now ? 1 : 0;
        var granted = possible;
        foreach (var peer in _peers)
        {
            if (!CountsAsVoter(peer, now) && !_config.Majority)
            {
                continue;
            }

            granted += peer.AckUntil > now ? 1 : 0;
            possible += peer.AckUntil > now || peer.Vote == VoteState.Pending ? 1 : 0;
        }

        var needed = VotesNeeded(now);
        if (granted >= needed)
        {
            BecomeLeader(now);
        }
        else if (possible < needed)
        {
            CancelCampaign(now, $"{granted} of {needed} votes, no more possible");
        }
        else if (now >= _campaignUntil)
        {
            CancelCampaign(now, $"{granted} of {needed} votes in time");
        }
    }

    private void CancelCampaign(long now, string why)
    {
        _cancelledEpoch = Epoch;
        Report(ElectionEventKind.CampaignCancelled, null, Epoch, why);
        _voter.Cancel(_self, Epoch);
        BecomeFollower();
        var jitter = (uint)_config.NewNonce().GetHashCode() % (uint)Math.Max(1, _config.IntervalMicros / 4);
        _backoffUntil = now + _config.IntervalMicros / 4 + jitter;
        RequestBeats();
    }

    /// <summary>
    /// Strictly above everything seen, and near the wall clock so that epochs rise across restarts of the whole
    /// cluster without a disk. A wall clock far from the other members' is not trusted.
    /// </summary>
    private long NextEpoch(long now, long wall)
    {
        var epoch = Math.Max(Math.Max(_maxEpochSeen, Math.Max(_voter.Floor, _voter.Tomb)) + 1, TrustedWall(now, wall));
        _maxEpochSeen = epoch;
        _lastProposed = epoch;
        return epoch;
    }

    private long TrustedWall(long now, long wall)
    {
        var fresh = 0;
        foreach (var peer in _peers)
        {
            if (now - peer.LastHeard < _config.LeaseMicros)
            {
                _ranking[fresh++] = peer.WallOffset + now;
            }
        }

        if (fresh == 0)
        {
            return wall;
        }

        var walls = _ranking.AsSpan(0, fresh);
        walls.Sort();
        var median = walls[fresh / 2];
        return Math.Abs(wall - median) > MaxWallSkewMicros ? median : wall;
    }

    private void SeeEpoch(long epoch) => _maxEpochSeen = Math.Max(_maxEpochSeen, epoch);

    /// <summary>
    /// Could lead, or will in a moment: in a cold start members leave quarantine one after the other, and without this
    /// the one that started first would lead until pre-emption.
    /// </summary>
    private bool IsWorthWaitingFor(Peer peer) =>
        peer.Eligible || (_voter.Floor == 0 && peer.Quarantined && !peer.Witness && peer.Stands);

    /// <summary>Rule 6: is there a lower NodeID, this node included, that could lead and should be waited for?</summary>
    private bool DefersToLower(string askerId, long now)
    {
        if (string.CompareOrdinal(_config.NodeId, askerId) < 0 && now >= _backoffUntil && IsEligible(now))
        {
            return true;
        }

        foreach (var peer in _peers)
        {
            if (IsWorthWaitingFor(peer) && peer.IsAlive(now, _config.LeaseMicros) && string.CompareOrdinal(peer.Id, askerId) < 0)
            {
                return true;
            }
        }

        return false;
    }
}
