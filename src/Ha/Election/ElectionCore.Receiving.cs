namespace Ha.Election;

/// <summary>Taking another member's request: who is it, is it fresh, what does it say, what does it ask.</summary>
internal sealed partial class ElectionCore
{
    /// <summary>Processes one authenticated request.</summary>
    public BeatReply Receive(Beat beat, long now, long wall)
    {
        Advance(now, wall);
        var status = Admit(beat, now, out var peer, out var nonce);
        var answer = VoteAnswer.No(Refusal.None);
        if (status == BeatStatus.Ok)
        {
            peer!.LastHeard = now;
            peer.Suspect = false;
            Learn(peer, beat.From, now);
            LearnLeader(peer, beat, now);
            answer = Answer(peer, beat, now);
        }

        Advance(now, wall);
        return Reply(beat, status, answer, nonce, now, wall);
    }

    private BeatStatus Admit(Beat beat, long now, out Peer? peer, out Guid nonce)
    {
        nonce = default;
        var from = beat.From;
        peer = FindPeer(from.Target);
        if (from.ClusterId != _config.ClusterId)
        {
            return BeatStatus.OtherCluster;
        }

        if (peer is null)
        {
            return BeatStatus.NotMember;
        }

        if (!IsFresh(peer, beat))
        {
            if (NoticeTwin(peer, beat, now))
            {
                return BeatStatus.DuplicateId;
            }

            if (peer.NonceIssued == default)
            {
                peer.NonceIssued = _config.NewNonce();
            }

            nonce = peer.NonceIssued;
            return BeatStatus.Conflict;
        }

        if (from.Id == _config.NodeId || UsesIdOfAnother(peer, from.Id, now))
        {
            // Fresh once only: whoever repeats a captured request could stop the election for as long as he does.
            peer.NonceIssued = default;
            peer.LastSeq = peer.Knows(from.Incarnation) ? beat.Seq : peer.LastSeq;
            ReportDuplicate(peer, from.Id, now);
            return BeatStatus.DuplicateId;
        }

        if (!peer.Knows(from.Incarnation))
        {
            AdoptIncarnation(peer, from, now);
            peer.ConfirmedSeq = _seq + 1; // no answer to what is under way can be newer
        }

        peer.LastSeq = beat.Seq;
        if (TellsOfTwin(peer, beat, now))
        {
            return BeatStatus.DuplicateId;
        }

        if (from.Digest != _config.Digest)
        {
            LearnMismatch(peer, from, now);
            return BeatStatus.ConfigMismatch;
        }

        peer.Mismatch = null;
        return BeatStatus.Ok;
    }

    /// <summary>
    /// For this incarnation, and either of a known incarnation and newer than all before, or carrying the nonce this
    /// node issued: a captured request has neither.
    /// </summary>
    private bool IsFresh(Peer peer, Beat beat)
    {
        if (beat.ToIncarnation != _config.Incarnation)
        {
            return false;
        }

        return peer.Knows(beat.From.Incarnation) && peer.Id == beat.From.Id
            ? beat.Seq > peer.LastSeq
            : !peer.IsFormer(beat.From.Incarnation) && peer.NonceIssued != default && beat.Nonce == peer.NonceIssued;
    }

    private void AdoptIncarnation(Peer peer, NodeFacts from, long now)
    {
        if (peer.HealthySince != long.MaxValue)
        {
            peer.CountLoss(now);
        }

        if (_known.Id == peer.Id && peer.Id is not null)
        {
            ForgetLeader("it restarted");
        }

        peer.Adopt(from.Id, from.Incarnation, now);
    }

    private void Learn(Peer peer, NodeFacts from, long now)
    {
        SeeEpoch(Math.Max(Math.Max(from.MaxEpoch, from.Epoch), Math.Max(from.ReleasedUpTo, from.CancelledEpoch)));
        SeeEpoch(from.Grant?.Epoch ?? 0);
        peer.PublicTarget = from.PublicTarget;
        peer.Eligible = from.Eligible;
        peer.Witness = from.Witness;
        peer.Quarantined = from.Quarantined;
        peer.Paused = from.Paused == true;
        peer.Unhealthy = from.Unhealthy == true;
        peer.Role = from.Role;
        peer.Reach = from.Reach;
        peer.WallOffset = from.WallMicros - now;
        peer.VoteHolder = from.Grant?.Holder;
        peer.VoteFreeAt = from.Grant is { } grant ? now + grant.RemainingMicros : from.Quarantined && _config.Majority ? long.MaxValue : now;
        var holder = new Holder(from.Id, from.Incarnation);
        if (from.CancelledEpoch > 0 && _voter.Cancel(holder, from.CancelledEpoch))
        {
            RequestBeats();
        }

        if (from.ReleasedUpTo > peer.ReleasedSeen)
        {
            LearnRelease(peer, from, holder, now);
        }

        MeetOtherLeader(peer, from, now);
    }

    /// <summary>
    /// A release frees this node's vote at once and, as it went to everybody, presumably theirs. It names the
    /// successor to every voter, so nobody needs a proof of it from the successor.
    /// </summary>
    private void LearnRelease(Peer peer, NodeFacts from, Holder holder, long now)
    {
        peer.ReleasedSeen = from.ReleasedUpTo;
        _voter.Release(holder, from.ReleasedUpTo, from.Successor, now);
        foreach (var other in _peers)
        {
            if (other.VoteHolder == from.Id && other.VoteFreeAt != long.MaxValue)
            {
                other.VoteFreeAt = now;
            }
        }

        if (_known.Id == from.Id && _known.Epoch <= from.ReleasedUpTo)
        {
            ForgetLeader("it released its lease");
        }

        if (from.Successor == _config.NodeId)
        {
            _chosenUntil = now + 2 * _config.IntervalMicros;
            _backoffUntil = Peer.Never;
            _holdOffUntil = Peer.Never;
        }
        else if (from.Successor is not null)
        {
            _holdOffUntil = now + 2 * _config.IntervalMicros;
        }
    }

    /// <summary>
    /// Two leaders can meet in off mode after a partition: the higher NodeID steps down, the lower goes above both
    /// epochs. In majority mode the meeting is proof of a broken assumption; the lower epoch yields.
    /// </summary>
    private void MeetOtherLeader(Peer peer, NodeFacts from, long now)
    {
        if (Role != NodeRole.Leader || from.Role != NodeRole.Leader || from.LeaseRemainingMicros == 0)
        {
            return;
        }

        // A message that was overtaken by the release of the leadership it tells of.
        if (from.Epoch <= peer.ReleasedSeen || (_config.Majority && from.Epoch < Epoch))
        {
            return;
        }

        Report(ElectionEventKind.ConflictSeen, from.Id, from.Epoch, "two leaders met");
        var yields = _config.Majority || string.CompareOrdinal(from.Id, _config.NodeId) < 0;
        if (yields)
        {
            GiveUp(now, null, ElectionEventKind.LeadershipReleased, $"yielded to {from.Id}");
        }
        else if (from.Epoch >= Epoch)
        {
            StartBump(now);
        }
    }

    private VoteAnswer Answer(Peer peer, Beat beat, long now)
    {
        SeeEpoch(beat.OpEpoch);
        if (beat.Op == BeatOp.None)
        {
            return VoteAnswer.No(Refusal.None);
        }

        if (beat.Op == BeatOp.HandoffPrepare)
        {
            return IsEligible(now) ? VoteAnswer.Yes : VoteAnswer.No(Refusal.NotEligible);
        }

        var asker = new Holder(beat.From.Id, beat.From.Incarnation);
        if (beat.Op == BeatOp.Acquire && HasDuplicateId(now) && _voter.Holder != asker)
        {
            return VoteAnswer.No(Refusal.Misconfigured);
        }

        var defers = beat.From.Role != NodeRole.Leader && DefersToLower(asker.Id, now);
        if (Role == NodeRole.Candidate && beat.Op == BeatOp.Acquire && IsLower(peer) && !defers
            && _voter.WouldGrantAfterCancel(_self, beat.OpEpoch))
        {
            CancelCampaign(now, $"{peer.Id} is lower and asks too");
        }

        return _voter.Ask(beat.Op, asker, beat.OpEpoch, beat.OpDurationMicros, now, defers);
    }
}
