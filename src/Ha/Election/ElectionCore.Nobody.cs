namespace Ha.Election;

/// <summary>While nobody leads: why, for the log and for clients whose writes find no leader.</summary>
internal sealed partial class ElectionCore
{
    private const long LeastPatienceMicros = 5_000_000;
    private const long ReportEveryMicros = 30_000_000;

    private long _reportNobodyAt = long.MaxValue;

    /// <summary>In words, as of the last round of heartbeats; null while somebody leads.</summary>
    public string? WhyNobodyLeads { get; private set; }

    /// <summary>An election takes a lease or two. What takes longer has a cause that somebody must see to.</summary>
    private void ExplainNobody(long now)
    {
        if (IsLeaderAt(now) || LeaderSeenAt(now) is not null)
        {
            WhyNobodyLeads = null;
            _reportNobodyAt = long.MaxValue;
            return;
        }

        WhyNobodyLeads = _listens
            ? string.Join("; ", _peers.Select(peer => AboutPeer(peer, now)).Prepend(AboutSelf(now)))
            : "this node does not listen yet, and hears nobody before it does";
        if (_reportNobodyAt == long.MaxValue)
        {
            _reportNobodyAt = now + Math.Max(LeastPatienceMicros, 3 * _config.LeaseMicros);
        }
        else if (now >= _reportNobodyAt)
        {
            _reportNobodyAt = now + ReportEveryMicros;
            Report(ElectionEventKind.NobodyLeads, null, 0, WhyNobodyLeads);
        }
    }

    private string AboutSelf(long now)
    {
        if (NeedsEpochFloor)
        {
            return "this node has won and waits for the application's fence";
        }

        if (_draining)
        {
            return "this node is shutting down";
        }

        if (!_ready)
        {
            return "this node still warms up";
        }

        if (!Standing.Stands)
        {
            return $"this node {Standing.Why}";
        }

        if (_voter.IsQuarantined(now))
        {
            return "this node has just started and waits until no promise of an earlier process can be valid";
        }

        if (HasDuplicateId(now))
        {
            return "a NodeID is used more than once";
        }

        if (_config.Majority && Reach(now) < _config.Quorum)
        {
            return $"this node reaches {Reach(now)} of {_config.Voters} members, itself included, and a leader needs {_config.Quorum}";
        }

        if (_config.Witness)
        {
            return "this node is a witness, which never leads";
        }

        if (now < _barredUntil)
        {
            return "this node could not raise the application's fence and lets others try";
        }

        if (MeetsFixedLeader(now))
        {
            return "a member has a fixed leader, and nobody is elected beside one";
        }

        if (HearsForeignMajority(now))
        {
            return "another member elects by majority and this node does not";
        }

        return 4 * QuorumRoundTripMicros() > _config.IntervalMicros
            ? $"round trips take {QuorumRoundTripMicros() / 1000.0:0.0} ms, more than a quarter of the heartbeat interval"
            : "this node waits for votes";
    }

    private string AboutPeer(Peer peer, long now)
    {
        var name = peer.Id is { } id ? $"{id} at {peer.Target}" : peer.Target;
        if (IsDuplicate(peer, now))
        {
            return $"{name} uses a NodeID that another member has";
        }

        if (peer.Mismatch is { } mismatch)
        {
            return $"{name}: {mismatch}";
        }

        if (peer.LastHeard == Peer.Never || !peer.WasHeard(now, _config.LeaseMicros))
        {
            var heard = peer.LastHeard == Peer.Never ? "was never heard" : $"is silent for {(now - peer.LastHeard) / 1_000_000} s";
            return peer.Failure is { } failure ? $"{name} {heard} ({failure})" : $"{name} {heard}";
        }

        if (!peer.IsReached(now, _config.LeaseMicros))
        {
            return $"{name} is heard, but not reached ({peer.Failure ?? "it takes no heartbeat for fresh"})";
        }

        if (peer.Quarantined)
        {
            return $"{name} has just started and does not vote yet";
        }

        if (now < peer.VoteFreeAt && peer.VoteHolder is { } holder)
        {
            return $"{name} has promised its vote to {holder}";
        }

        if (peer.LastRefusal != Refusal.None)
        {
            return $"{name} refused its vote: {ElectionWords.Of(peer.LastRefusal)}";
        }

        if (!peer.Stands)
        {
            return peer.Paused ? $"{name} is heard and is paused" : $"{name} is heard, and its application's health keeps it from leading";
        }

        return peer.Witness ? $"{name} is heard, a witness" : peer.Eligible ? $"{name} is heard and could lead" : $"{name} is heard and cannot lead now";
    }
}
