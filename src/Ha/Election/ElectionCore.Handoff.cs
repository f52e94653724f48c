namespace Ha.Election;

internal enum HandoffReason
{
    StepDown,
    Shutdown,
    Preemption,
    FenceUnreachable,
    FixedLeader,
    Paused,
    Unhealthy,
}

internal enum HandoffPhase
{
    None,

    /// <summary>The successor is asked whether it could lead; aborting is free.</summary>
    Preparing,

    /// <summary>The write gate is closed, the lease still renewed, running writes finish.</summary>
    Draining,

    /// <summary>A writer did not finish in time: no release, the lease runs out.</summary>
    Lapsing,
}

/// <param name="Phase">How far it is.</param>
/// <param name="Reason">Why; a shutdown may take over a handoff that began for another reason.</param>
/// <param name="Successor">Who is asked or was chosen; null: nobody.</param>
/// <param name="Fixed">The successor was named by whoever asked for the handoff: no other one will do, unless this node must go.</param>
/// <param name="Declined">Those that were asked and could not; null: nobody.</param>
internal readonly record struct Handoff(HandoffPhase Phase, HandoffReason Reason, Peer? Successor, bool Fixed, Peer[]? Declined);

/// <summary>Giving leadership away in milliseconds instead of a lease, and giving it back to a lower NodeID.</summary>
internal sealed partial class ElectionCore
{
    private const long MinPreemptionDelayMicros = 5_000_000;
    private const long MaxPreemptionDelayMicros = 300_000_000;

    private Handoff _handoff;
    private long _handoffDeadline = Peer.Never;
    private string? _successor;
    private bool _preemptionReported;

    /// <summary>From here on the owner admits no new writer.</summary>
    public bool GateClosed => _handoff.Phase is HandoffPhase.Draining or HandoffPhase.Lapsing;

    public HandoffPhase HandoffPhase => _handoff.Phase;

    public HandoffStart BeginHandoff(string? toNodeId, HandoffReason reason, long now)
    {
        Advance(now, WallAt(now));
        if (Role != NodeRole.Leader)
        {
            return new HandoffStart(HandoffResult.NotLeader, null);
        }

        if (_handoff.Phase != HandoffPhase.None)
        {
            _handoff = reason == HandoffReason.Shutdown ? _handoff with { Reason = reason } : _handoff;
            return new HandoffStart(HandoffResult.AlreadyRunning, _handoff.Successor?.Id);
        }

        var start = Begin(toNodeId, reason, now);
        NextDeadline = ComputeDeadline(now);
        return start;
    }

    /// <summary>No writer is inside any more and none can enter: the lease may go.</summary>
    public void CompleteDrain(long now)
    {
        var wasClosed = GateClosed; // nobody counted behind a gate that closes only now
        Advance(now, WallAt(now));
        if (wasClosed && GateClosed && Role == NodeRole.Leader)
        {
            GiveUp(now, SuccessorNow(now)?.Id, ElectionEventKind.LeadershipReleased, $"handed over ({ElectionWords.Of(_handoff.Reason)})");
        }

        NextDeadline = ComputeDeadline(now);
    }

    private HandoffStart Begin(string? toNodeId, HandoffReason reason, long now)
    {
        var successor = NextSuccessor(toNodeId, now);
        if (successor is null && !GoesInAnyCase(reason))
        {
            return new HandoffStart(HandoffResult.NotEligible, null);
        }

        _handoff = new Handoff(HandoffPhase.Preparing, reason, successor, toNodeId is not null, Declined: null);
        Report(ElectionEventKind.HandoffStarted, successor?.Id, Epoch, ElectionWords.Of(reason));
        if (successor is null)
        {
            CloseGate(now);
        }
        else
        {
            _handoffDeadline = now + 2 * _config.IntervalMicros;
            successor.Due = true;
        }

        return new HandoffStart(HandoffResult.Accepted, successor?.Id);
    }

    /// <summary>For these reasons a leader goes though nobody could take over. For any other that would only leave the cluster without one.</summary>
    private static bool GoesInAnyCase(HandoffReason reason) => reason is HandoffReason.Shutdown or HandoffReason.FixedLeader;

    /// <summary>The lowest node that could take over; or the named one.</summary>
    private Peer? NextSuccessor(string? id, long now)
    {
        Peer? lowest = null;
        foreach (var peer in _peers)
        {
            if (CouldTakeOver(peer, now)
                && (id is null || peer.Id == id)
                && (lowest is null || string.CompareOrdinal(peer.Id, lowest.Id) < 0))
            {
                lowest = peer;
            }
        }

        return lowest;
    }

    /// <summary>Still the chosen one if it could take over; else another, unless only the named one will do.</summary>
    private Peer? SuccessorNow(long now)
    {
        if (_handoff.Successor is { } chosen && CouldTakeOver(chosen, now))
        {
            return chosen;
        }

        var mustGo = _handoff.Reason == HandoffReason.Shutdown || !Standing.Stands;
        return _handoff.Fixed && !mustGo ? null : NextSuccessor(null, now);
    }

    /// <summary>Could lead, and has not declined in this handoff. Nobody beside a fixed leader.</summary>
    private bool CouldTakeOver(Peer peer, long now) =>
        peer.Eligible && peer.IsAlive(now, _config.LeaseMicros) && !IsDuplicate(peer, now) && !MeetsFixedLeader(now)
        && _handoff.Declined?.Contains(peer) != true;

    private void AdvanceHandoff(long now)
    {
        if (Role != NodeRole.Leader)
        {
            return;
        }

        switch (_handoff.Phase)
        {
            case HandoffPhase.None when !Standing.Stands:
                ConsiderYielding(now);
                break;
            case HandoffPhase.None:
                ConsiderPreemption(now);
                break;
            case HandoffPhase.Preparing when now >= _handoffDeadline:
                PrepareFailed(now, "no answer");
                break;
            case HandoffPhase.Draining when SuccessorNow(now) is null && !GoesInAnyCase(_handoff.Reason):
                StayLeader("nobody could take over any more");
                break;
            case HandoffPhase.Draining when now >= _handoffDeadline:
                _handoff = _handoff with { Phase = HandoffPhase.Lapsing };
                _handoffDeadline = Peer.Never;
                Report(ElectionEventKind.DrainTimedOut, null, Epoch, "a write is still running; the lease runs out instead of being released");
                break;
        }
    }

    private void CloseGate(long now)
    {
        _handoff = _handoff with { Phase = HandoffPhase.Draining };
        _handoffDeadline = now + _config.DrainMicros;
    }

    /// <summary>
    /// Ends a handoff in which nothing was given up: up to the end of the drain the lease is renewed as ever, and writers may enter
    /// again. Never from <see cref="HandoffPhase.Lapsing"/>.
    /// </summary>
    private void StayLeader(string why)
    {
        Report(ElectionEventKind.HandoffAborted, _handoff.Successor?.Id, Epoch, why);
        EndHandoff();
    }

    private void EndHandoff()
    {
        _handoff = default;
        _handoffDeadline = Peer.Never;
    }

    private void PrepareFailed(long now, string why)
    {
        Report(ElectionEventKind.HandoffAborted, _handoff.Successor?.Id, Epoch, why);
        _handoff = _handoff with { Declined = [.. _handoff.Declined ?? [], _handoff.Successor!] };
        if (SuccessorNow(now) is { } next)
        {
            _handoff = _handoff with { Successor = next, Fixed = false };
            _handoffDeadline = now + 2 * _config.IntervalMicros;
            next.Due = true;
        }
        else if (GoesInAnyCase(_handoff.Reason))
        {
            _handoff = _handoff with { Successor = null };
            CloseGate(now);
        }
        else
        {
            EndHandoff();
        }
    }

    /// <summary>
    /// A lower node must have been healthy for a while, longer each time it was lost: a crash-looping lowest node
    /// would otherwise take leadership with it every few seconds.
    /// </summary>
    private void ConsiderPreemption(long now)
    {
        if (_config.Preempt == PreemptMode.Never || now - _leadSince < MinPreemptionDelayMicros || !IsLeaderAt(now))
        {
            return;
        }

        var lower = NextSuccessor(null, now);
        if (lower is null || !IsLower(lower) || lower.Reach < Reach(now) || now - lower.HealthySince < PreemptionDelay(lower, now)
            || lower.HealthySince == long.MaxValue)
        {
            _preemptionReported = false;
        }
        else if (_config.Preempt == PreemptMode.Auto)
        {
            Begin(lower.Id, HandoffReason.Preemption, now);
        }
        else if (!_preemptionReported)
        {
            _preemptionReported = true;
            Report(ElectionEventKind.PreemptionPending, lower.Id, Epoch, "a lower NodeID is ready; POST /_ha/step-down moves leadership to it");
        }
    }

    private long PreemptionDelay(Peer lower, long now)
    {
        var delay = Math.Max(10 * _config.IntervalMicros, MinPreemptionDelayMicros);
        return Math.Min(delay << lower.RecentLosses(now), Math.Max(delay, MaxPreemptionDelayMicros));
    }
}
