using Ha.Election;

namespace Ha.Leases;

/// <summary>A handoff under way; there is no one to prepare, so it begins with <see cref="HandoffPhase.Draining"/>.</summary>
/// <param name="Phase">How far it is.</param>
/// <param name="Reason">Why; a shutdown may take over a handoff that began for another reason.</param>
/// <param name="Successor">Who is to take the lease first; null: whoever comes.</param>
internal readonly record struct LeaseHandoff(HandoffPhase Phase, HandoffReason Reason, string? Successor);

/// <summary>Giving the lease away in milliseconds instead of letting it run out.</summary>
internal sealed partial class LeaseCore
{
    private LeaseHandoff _handoff;
    private long _handoffDeadline = Peer.Never;
    private long _releaseUntil = Peer.Never;
    private string? _successor;

    public bool GateClosed => _handoff.Phase != HandoffPhase.None;

    public HandoffPhase HandoffPhase => _handoff.Phase;

    /// <summary>True while nothing of this node is left to be released, or it can do nothing more about it.</summary>
    public bool ReleaseIsKnown(long now) =>
        Role == NodeRole.Follower && _releaseUntil <= now && _outstanding is not { Kind: CallKind.Claim };

    public HandoffStart BeginHandoff(string? toNodeId, HandoffReason reason, long now)
    {
        Advance(now, WallAt(now));
        if (Role != NodeRole.Leader)
        {
            return new HandoffStart(HandoffResult.NotLeader);
        }

        if (GateClosed)
        {
            _handoff = reason == HandoffReason.Shutdown ? _handoff with { Reason = reason } : _handoff;
            return new HandoffStart(HandoffResult.AlreadyRunning, _handoff.Successor);
        }

        var start = Begin(toNodeId, reason, _lastNow);
        NextDeadline = ComputeDeadline(_lastNow);
        return start;
    }

    public void CompleteDrain(long now)
    {
        var wasClosed = GateClosed; // nobody counted behind a gate that closes only now
        Advance(now, WallAt(now));
        if (wasClosed && GateClosed && Role == NodeRole.Leader)
        {
            var successor = SuccessorNow(_lastNow)?.NodeId;
            GiveUp(_lastNow, successor, ElectionEventKind.LeadershipReleased, $"handed over ({ElectionWords.Of(_handoff.Reason)})");
            StartRelease(successor, _lastNow);
        }

        NextDeadline = ComputeDeadline(_lastNow);
    }

    private HandoffStart Begin(string? toNodeId, HandoffReason reason, long now)
    {
        var successor = NextSuccessor(toNodeId, now)?.NodeId;
        if (successor is null && reason != HandoffReason.Shutdown && !(toNodeId is null && IsBlind))
        {
            return new HandoffStart(HandoffResult.NotEligible);
        }

        _handoff = new LeaseHandoff(HandoffPhase.Draining, reason, successor);
        _handoffDeadline = now + _config.DrainMicros;
        Report(ElectionEventKind.HandoffStarted, successor, Epoch, ElectionWords.Of(reason));
        return new HandoffStart(HandoffResult.Accepted, successor);
    }

    /// <summary>Still the chosen one if it could take over, else another.</summary>
    private LeaseMember? SuccessorNow(long now) => NextSuccessor(_handoff.Successor, now) ?? NextSuccessor(null, now);

    private void AdvanceHandoff(long now)
    {
        if (_handoff.Phase == HandoffPhase.Draining && _handoff.Reason != HandoffReason.Shutdown && !IsBlind && SuccessorNow(now) is null)
        {
            StayLeader("nobody could take over any more");
        }

        if (_handoff.Phase == HandoffPhase.Draining && now >= _handoffDeadline)
        {
            _handoff = _handoff with { Phase = HandoffPhase.Lapsing };
            _handoffDeadline = Peer.Never;
            Report(ElectionEventKind.DrainTimedOut, null, Epoch, "a write is still running; the lease runs out instead of being released");
        }

        if (_handoff.Phase == HandoffPhase.None && Role == NodeRole.Leader && !Standing.Stands)
        {
            ConsiderYielding(now);
        }

        if (now >= _releaseUntil || !_seen.Mine)
        {
            _releaseUntil = Peer.Never;
        }
    }

    /// <summary>
    /// Ends a handoff in which nothing was given up: up to the end of the drain the lease is renewed as ever, and writers may enter
    /// again. Never from <see cref="HandoffPhase.Lapsing"/>.
    /// </summary>
    private void StayLeader(string why)
    {
        Report(ElectionEventKind.HandoffAborted, _handoff.Successor, Epoch, why);
        EndHandoff();
    }

    private void EndHandoff()
    {
        _handoff = default;
        _handoffDeadline = Peer.Never;
    }

    /// <summary>This node leads no more and says so, until the store has it, or for a lease: then it has run out by itself.</summary>
    private void StartRelease(string? successor, long now)
    {
        _successor = successor;
        _retryAt = Peer.Never;
        _releaseUntil = now + _config.LeaseMicros;
    }
}
