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
/// <param name="Fixed">The successor was named by whoever asked for the handoff: no other one will do.</param>
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
        Advance(now, WallAt(now));
        if (Role == NodeRole.Leader && GateClosed)
        {
            var successor = _handoff.Successor is { } chosen && chosen.IsAlive(now, _config.LeaseMicros)
                ? chosen
                : NextSuccessor(null, now);
            GiveUp(now, successor?.Id, ElectionEventKind.LeadershipReleased, $"handed over ({ElectionWords.Of(_handoff.Reason)})");
        }

        NextDeadline = ComputeDeadline(now);
    }

    private HandoffStart Begin(string? toNodeId, HandoffReason reason, long now)
    {
        var successor = NextSuccessor(toNodeId, now);
        if (successor is null && reason is not (HandoffReason.Shutdown or HandoffReason.FixedLeader))
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

    /// <summary>The lowest node that could lead and has not declined in this handoff; or the named one. Nobody beside a fixed leader.</summary>
    private Peer? NextSuccessor(string? id, long now)
    {
        if (MeetsFixedLeader(now))
        {
            return null;
        }

        Peer? lowest = null;
        foreach (var peer in _peers)
        {
            if (peer.Eligible && peer.IsAlive(now, _config.LeaseMicros) && !IsDuplicate(peer, now)
                && (id is null || peer.Id == id)
                && _handoff.Declined?.Contains(peer) != true
                && (lowest is null || string.CompareOrdinal(peer.Id, lowest.Id) < 0))
            {
                lowest = peer;
            }
        }

        return lowest;
    }

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

    private void PrepareFailed(long now, string why)
    {
        Report(ElectionEventKind.HandoffAborted, _handoff.Successor?.Id, Epoch, why);
        _handoff = _handoff with { Declined = [.. _handoff.Declined ?? [], _handoff.Successor!] };
        var next = _handoff.Fixed && _handoff.Reason != HandoffReason.Shutdown ? null : NextSuccessor(null, now);
        if (next is not null)
        {
            _handoff = _handoff with { Successor = next, Fixed = false };
            _handoffDeadline = now + 2 * _config.IntervalMicros;
            next.Due = true;
        }
        else if (_handoff.Reason == HandoffReason.Shutdown)
        {
            _handoff = _handoff with { Successor = null };
            CloseGate(now);
        }
        else
        {
            _handoff = default;
            _handoffDeadline = Peer.Never;
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
