namespace Ha.Election;

/// <summary>Taking the answer to an own request: freshness, round trips, votes and renewals.</summary>
internal sealed partial class ElectionCore
{
    private const int MaxVoteRetries = 3;

    /// <summary>Processes the authenticated answer to a request of <see cref="CreateBeat"/>; a second one is ignored.</summary>
    public void ReceiveReply(int peer, BeatReply reply, long now, long wall)
    {
        Advance(now, wall);
        var from = _peers[peer];
        if (reply.ToIncarnation == _config.Incarnation && from.TryTake(reply.Seq, out var request))
        {
            Take(from, reply, request, now);
        }

        Advance(now, wall);
    }

    /// <summary>A request failed or was not answered in time; <paramref name="why"/> says in words how.</summary>
    public void BeatFailed(int peer, long seq, long now, string? why = null)
    {
        Advance(now, WallAt(now));
        _peers[peer].Failure = why;
        if (_peers[peer].TryTake(seq, out var request) && request.Generation == Generation && Role == NodeRole.Candidate)
        {
            _peers[peer].Vote = VoteState.Refused;
            Advance(now, WallAt(now));
        }
    }

    /// <summary>
    /// The peer has a fixed leader, which takes writes without a lease: nobody may lead by a lease beside it. Unsigned it
    /// could come from anybody in the place of a member that is gone. So that much is believed only of a member that never
    /// gave a signed answer, and costs no leader its leadership. A leader lets
    /// its writers finish first.
    /// </summary>
    /// <param name="peer">Who was asked.</param>
    /// <param name="seq">The request's.</param>
    /// <param name="verified">A key vouches for the answer.</param>
    /// <param name="now">The time.</param>
    /// <param name="why">In words, for people.</param>
    public void MeetFixedLeader(int peer, long seq, bool verified, long now, string why)
    {
        BeatFailed(peer, seq, now, why);
        if (!verified && _peers[peer].Id is not null)
        {
            return;
        }

        _fixedLeaderMetAt = now;
        if (Role == NodeRole.Candidate)
        {
            CancelCampaign(now, $"{_peers[peer].Target} has a fixed leader");
        }
        else if (Role == NodeRole.Leader && verified && _handoff.Phase == HandoffPhase.None)
        {
            Begin(null, HandoffReason.FixedLeader, now);
        }
        else if (Role == NodeRole.Leader && verified && _handoff.Reason != HandoffReason.Shutdown)
        {
            _handoff = _handoff with { Reason = HandoffReason.FixedLeader };
        }

        Advance(now, WallAt(now));
    }

    private void Take(Peer peer, BeatReply reply, Outstanding request, long now)
    {
        var from = reply.From;
        if (!peer.Knows(from.Incarnation) && request.Seq < peer.ConfirmedSeq)
        {
            return;
        }

        if (from.Incarnation == _config.Incarnation)
        {
            ReportMismatch(peer, from, $"{peer.Target} is this node itself, which calls itself {from.Target}", now);
            return;
        }

        if (from.ClusterId != _config.ClusterId || from.Target != peer.Target)
        {
            ReportMismatch(peer, from, $"{peer.Target} is answered by {from.Target} of cluster {from.ClusterId}", now);
            return;
        }

        if (from.Id == _config.NodeId || UsesIdOfAnother(peer, from.Id, now))
        {
            ReportDuplicate(peer, from.Id, now);
            return;
        }

        if (!peer.Knows(from.Incarnation) || peer.Id != from.Id)
        {
            AdoptIncarnation(peer, from, now);
        }

        peer.ConfirmedSeq = Math.Max(peer.ConfirmedSeq, request.Seq);
        peer.Failure = null;
        switch (reply.Status)
        {
            case BeatStatus.Conflict:
                peer.NonceToEcho = reply.Nonce;
                peer.Due |= !peer.Retried;
                peer.Retried = true;
                break;
            case BeatStatus.ConfigMismatch:
                LearnMismatch(peer, from, now);
                break;
            case BeatStatus.Ok:
                peer.Mismatch = null;
                peer.MeasureRoundTrip(now - request.SentAt);
                peer.LastAckedSend = Math.Max(peer.LastAckedSend, request.SentAt);
                Learn(peer, from, now);
                LearnHint(from, now);
                TakeAnswer(peer, reply, request, now);
                break;
            case BeatStatus.DuplicateId:
                LearnOfTwin(peer, now);
                break;
            default:
                ReportMismatch(peer, from, ElectionWords.Of(reply.Status), now);
                break;
        }
    }

    /// <summary>An answer counts only in the generation that asked: a late one never revives what was given up.</summary>
    private void TakeAnswer(Peer peer, BeatReply reply, Outstanding request, long now)
    {
        SeeEpoch(reply.EpochFloor);
        if (request.Generation != Generation || reply.OpEpoch != request.Epoch)
        {
            return;
        }

        if (request.Op == BeatOp.Acquire)
        {
            peer.LastRefusal = reply.Refusal;
        }

        if (request.Op == BeatOp.HandoffPrepare)
        {
            TakePrepared(peer, reply, now);
        }
        else if (reply.Granted)
        {
            Credit(peer, request, now);
        }
        else
        {
            TakeRefusal(peer, reply, request, now);
        }
    }

    private void Credit(Peer peer, Outstanding request, long now)
    {
        if (request.Op is not (BeatOp.Acquire or BeatOp.Renew))
        {
            return;
        }

        var until = request.SentAt + ElectionConfig.Credit(request.DurationMicros);
        peer.AckUntil = Math.Max(peer.AckUntil, until);
        peer.AckSentAt = Math.Max(peer.AckSentAt, request.SentAt);
        if (request.Epoch == _bumpEpoch)
        {
            peer.BumpAckUntil = Math.Max(peer.BumpAckUntil, until);
        }

        if (Role == NodeRole.Candidate)
        {
            peer.Vote = VoteState.Granted;
            ReviewCampaign(now);
        }
        else
        {
            CountPromises(now);
        }
    }

    private void TakeRefusal(Peer peer, BeatReply reply, Outstanding request, long now)
    {
        switch (reply.Refusal)
        {
            case Refusal.Deferred:
                peer.DefersUntil = now + reply.RefusalRemainingMicros;
                break;
            case Refusal.Held:
                peer.VoteFreeAt = now + reply.RefusalRemainingMicros;
                break;
            case Refusal.EpochTooLow when Role == NodeRole.Leader && request.Epoch >= Math.Max(Epoch, _bumpEpoch):
                StartBump(now);
                return;
        }

        if (Role != NodeRole.Candidate)
        {
            return;
        }

        // A successor may be faster than the release it was named in: the voter is about to hear it.
        if (reply.Refusal == Refusal.Held && HolderHasReleased(reply.From.Grant) && peer.VoteRetries++ < MaxVoteRetries)
        {
            peer.Due = true;
            return;
        }

        peer.Vote = VoteState.Refused;
        ReviewCampaign(now);
    }

    private bool HolderHasReleased(GrantFacts? grant) =>
        grant is { } held && Array.Exists(_peers, p => p.Id == held.Holder && p.ReleasedSeen >= held.Epoch);

    private void TakePrepared(Peer peer, BeatReply reply, long now)
    {
        if (_handoff.Phase != HandoffPhase.Preparing || _handoff.Successor != peer)
        {
            return;
        }

        if (reply.Granted)
        {
            CloseGate(now);
            peer.Due = true;
        }
        else
        {
            PrepareFailed(now, ElectionWords.Of(reply.Refusal));
        }
    }
}
