namespace Ha.Election;

/// <summary>What this node says: its requests, its replies, and the facts in both.</summary>
internal sealed partial class ElectionCore
{
    /// <summary>True when a request should go to this peer now; the owner sends it unless one is under way.</summary>
    public bool WantsBeat(int peer) => _listens && _peers[peer].Due;

    /// <summary>Makes the next request to a peer. Its send time is noted here, before anything is serialised.</summary>
    public Beat CreateBeat(int peer, long now, long wall)
    {
        Advance(now, wall);
        var to = _peers[peer];
        to.Due = false;
        var (op, epoch, duration) = OpFor(to);
        var seq = ++_seq;
        to.Remember(new Outstanding(seq, now, op, epoch, duration, Generation));
        var beat = new Beat
        {
            From = Facts(now, wall),
            ToIncarnation = to.Incarnation,
            Nonce = to.NonceToEcho,
            Seq = seq,
            Op = op,
            OpEpoch = epoch,
            OpDurationMicros = duration,
        };
        to.NonceToEcho = default;
        return beat;
    }

    private (BeatOp Op, long Epoch, long Duration) OpFor(Peer to)
    {
        if (Role == NodeRole.Candidate)
        {
            return (BeatOp.Acquire, Epoch, _config.CandidacyMicros);
        }

        if (Role != NodeRole.Leader || _handoff.Phase == HandoffPhase.Lapsing)
        {
            return (BeatOp.None, 0, 0);
        }

        if (_handoff.Phase == HandoffPhase.Preparing && _handoff.Successor == to)
        {
            return (BeatOp.HandoffPrepare, Epoch, 0);
        }

        return _bumpEpoch != 0
            ? (BeatOp.Acquire, _bumpEpoch, _config.LeaseMicros)
            : (BeatOp.Renew, Epoch, _config.LeaseMicros);
    }

    private NodeFacts Facts(long now, long wall) => new()
    {
        ClusterId = _config.ClusterId,
        Id = _config.NodeId,
        Incarnation = _config.Incarnation,
        Target = _config.Target,
        PublicTarget = _config.PublicTarget,
        Digest = _config.Digest,
        LeaseMicros = _config.LeaseMicros,
        CandidacyMicros = _config.CandidacyMicros,
        Majority = _config.Majority,
        Witness = _config.Witness,
        Quarantined = _voter.IsQuarantined(now),
        Role = Role,
        Eligible = IsEligible(now),
        Reach = Reach(now),
        Epoch = Role == NodeRole.Leader ? Epoch : 0,
        LeaseRemainingMicros = Role == NodeRole.Leader ? Math.Max(0, LeaseUntil - now) : 0,
        MaxEpoch = _maxEpochSeen,
        Grant = _voter.Holder is { } holder ? new GrantFacts(holder.Id, _voter.Epoch, Math.Max(0, _voter.Until - now)) : null,
        Hint = IsLeaderAt(now) ? new LeaderHint(_config.Target, Epoch)
            : KnowsLeader(now) ? new LeaderHint(_known.Target, _known.Epoch) : null,
        WallMicros = wall,
        ReleasedUpTo = _releasedUpTo,
        CancelledEpoch = _cancelledEpoch,
        Successor = _successor,
        Paused = Standing.Paused ? true : null,
        Unhealthy = Standing.Trouble is not null ? true : null,
    };

    private BeatReply Reply(Beat beat, BeatStatus status, VoteAnswer answer, Guid nonce, long now, long wall) => new()
    {
        Status = status,
        From = Facts(now, wall),
        ToIncarnation = beat.From.Incarnation,
        Seq = beat.Seq,
        Nonce = nonce,
        OpEpoch = beat.OpEpoch,
        Granted = answer.Granted,
        Refusal = answer.Refusal,
        RefusalRemainingMicros = answer.RemainingMicros,
        EpochFloor = Math.Max(_voter.Floor, _voter.Tomb),
    };
}
