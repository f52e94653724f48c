namespace Ha.Election;

/// <summary>A leader that told this node so itself.</summary>
internal readonly record struct KnownLeader(
    string Id, Guid Incarnation, string Target, string PublicTarget, long Epoch, long Until, bool Doubted = false);

/// <summary>Who leads elsewhere, and members that cannot be members: duplicate ids, other configurations.</summary>
internal sealed partial class ElectionCore
{
    private KnownLeader _known;
    private KnownLeader _hinted;
    private long _forgottenEpoch;
    private long _foreignMajorityAt = Peer.Never;
    private long _fixedLeaderMetAt = Peer.Never;

    /// <summary>The leader this node follows, or a mere hint where it hears none itself; null when neither is known.</summary>
    public KnownLeader? LeaderSeenAt(long now) =>
        KnowsLeader(now) ? _known : now < _hinted.Until ? _hinted : null;

    public bool HasDuplicateId(long now)
    {
        foreach (var peer in _peers)
        {
            if (IsDuplicate(peer, now))
            {
                return true;
            }
        }

        return false;
    }

    private Peer? FindPeer(string target)
    {
        foreach (var peer in _peers)
        {
            if (peer.Target == target)
            {
                return peer;
            }
        }

        return null;
    }

    private bool KnowsLeader(long now) => now < _known.Until;

    private bool IsDuplicate(Peer peer, long now) => now - peer.DuplicateAt < 2 * _config.LeaseMicros;

    private bool HearsForeignMajority(long now) => now - _foreignMajorityAt < _config.LeaseMicros;

    private bool MeetsFixedLeader(long now) => now - _fixedLeaderMetAt < _config.LeaseMicros;

    private bool UsesIdOfAnother(Peer peer, string id, long now)
    {
        foreach (var other in _peers)
        {
            if (other != peer && other.Id == id && now - Math.Max(other.LastHeard, other.LastAckedSend) < 2 * _config.LeaseMicros)
            {
                return true;
            }
        }

        return false;
    }

    private void ExpireKnownLeader(long now)
    {
        if (_known.Id is null || now < _known.Until)
        {
            return;
        }

        if (HasOverslept(now) && !_known.Doubted)
        {
            // Not the leader was silent but this node deaf. What it said meanwhile waits to be read.
            _known = _known with { Until = now + _config.IntervalMicros / 4, Doubted = true };
        }
        else
        {
            ForgetLeader("its lease ran out");
        }
    }

    /// <summary>The owner did not come when it had promised to: it got no processor.</summary>
    private bool HasOverslept(long now) => now - NextDeadline > _config.IntervalMicros / 10;

    private void ForgetLeader(string why)
    {
        Report(ElectionEventKind.LeaderLost, _known.Id, _known.Epoch, why);
        _forgottenEpoch = Math.Max(_forgottenEpoch, _known.Epoch);
        _known = default;
        _hinted = default;
    }

    /// <summary>
    /// Only a leader's own request makes it known. It stays so for as long as it says its lease lasts, or for what the
    /// renewal that it asks for is worth to it, if that is longer: what it says was true before it asked, and the news of
    /// the renewal itself comes an interval later.
    /// </summary>
    private void LearnLeader(Peer peer, Beat beat, long now)
    {
        var from = beat.From;
        if (from.Role == NodeRole.Leader && from.LeaseRemainingMicros > 0)
        {
            // A reply that tells of the release may overtake a request from before it.
            if (from.Epoch <= peer.ReleasedSeen || (from.Epoch < _known.Epoch && KnowsLeader(now)))
            {
                return;
            }

            var renewed = ElectionConfig.Credit(Math.Min(beat.OpDurationMicros, _config.LeaseMicros));
            var until = now + Math.Max(from.LeaseRemainingMicros, renewed);
            if (_known.Id == from.Id && _known.Epoch == from.Epoch)
            {
                until = Math.Max(until, _known.Until);
            }
            else
            {
                Report(ElectionEventKind.LeaderSeen, from.Id, from.Epoch,
                    from.Epoch <= _forgottenEpoch ? "it is heard again" : "it says so itself");
            }

            _known = new KnownLeader(from.Id, from.Incarnation, peer.Target, from.PublicTarget, from.Epoch, until);
            _chosenUntil = Peer.Never;
        }
        else if (_known.Id == from.Id)
        {
            ForgetLeader("it leads no more");
        }
    }

    /// <summary>
    /// A hint serves redirects only, and only towards a member whose public URL it gave itself. Those who still
    /// believe in a leader that this node saw end are not listened to.
    /// </summary>
    private void LearnHint(NodeFacts from, long now)
    {
        if (from.Hint is { } hint && hint.Epoch > _forgottenEpoch && FindPeer(hint.Target) is { Id: { } id } leader)
        {
            _hinted = new KnownLeader(id, leader.Incarnation, leader.Target, leader.PublicTarget, hint.Epoch, now + _config.IntervalMicros * 2);
        }
        else if (_hinted.Id == from.Id)
        {
            _hinted = default;
        }
    }

    private void ReportDuplicate(Peer peer, string id, long now)
    {
        if (!IsDuplicate(peer, now))
        {
            Report(ElectionEventKind.DuplicateId, id, 0, $"{peer.Target} uses a NodeID that another member has");
        }

        peer.DuplicateAt = now;
    }

    private void ReportMismatch(Peer peer, NodeFacts from, string what, long now)
    {
        if (peer.Mismatch != what)
        {
            Report(ElectionEventKind.ConfigMismatch, from.Id, 0, what);
        }

        peer.Mismatch = what;
        peer.Eligible = false;
    }

    /// <summary>
    /// A member with another configuration gets no vote and gives none, but its epochs count, its leadership may be
    /// redirected to, and a longer lease of its makes this node's quarantine outlast it.
    /// </summary>
    private void LearnMismatch(Peer peer, NodeFacts from, long now)
    {
        ReportMismatch(peer, from, ConfigDifference.Explain(_config, from), now);
        SeeEpoch(Math.Max(from.MaxEpoch, from.Epoch));
        peer.PublicTarget = from.PublicTarget;
        peer.Role = from.Role;
        var outlasts = _createdAt + from.LeaseMicros + from.CandidacyMicros;
        if (_voter.IsQuarantined(now) && outlasts > _voter.QuarantineUntil)
        {
            _voter.ExtendQuarantine(outlasts);
            Report(ElectionEventKind.QuarantineExtended, from.Id, 0, "its lease timeout is longer");
        }

        if (from.Role == NodeRole.Leader)
        {
            _hinted = new KnownLeader(from.Id, from.Incarnation, peer.Target, from.PublicTarget, from.Epoch, now + from.LeaseRemainingMicros);
        }

        if (!_config.Majority && from.Majority)
        {
            _foreignMajorityAt = now;
            if (Role == NodeRole.Leader)
            {
                GiveUp(now, null, ElectionEventKind.LeadershipReleased, $"{from.Id} runs in majority mode");
            }
        }
    }
}
