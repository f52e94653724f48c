namespace Ha.Election;

/// <summary>
/// What the owner of a lease needs of the pure core that decides about it, whoever arbitrates. No clock, no I/O, no lock: the
/// owner calls it under one lock. Every <c>now</c> is microseconds of one monotonic clock, every <c>wall</c> unix microseconds.
/// </summary>
internal interface ILeadershipCore
{
    NodeRole Role { get; }

    /// <summary>The epoch this node leads or stands with; 0 as a follower.</summary>
    long Epoch { get; }

    /// <summary>Grows whenever this node's leadership, or its claim to it, ends or begins.</summary>
    long Generation { get; }

    /// <summary>Call <see cref="Tick"/> at this time at the latest.</summary>
    long NextDeadline { get; }

    /// <summary>Until when this node may act as the leader if nothing more happens; 0: it does not lead.</summary>
    long ValidUntil { get; }

    /// <summary>From here on the owner admits no new writer.</summary>
    bool GateClosed { get; }

    /// <summary>True when the owner should ask the application for its stored epoch and call <see cref="ConfirmEpochFloor"/>.</summary>
    bool NeedsEpochFloor { get; }

    /// <summary>In words, why nobody leads; null while somebody does, or nothing is known.</summary>
    string? WhyNobodyLeads { get; }

    bool IsLeaderAt(long now);

    /// <summary>The other node that leads, as far as this one knows.</summary>
    KnownLeader? LeaderSeenAt(long now);

    /// <summary>True while this node may not vote or lead because it has just started.</summary>
    bool IsQuarantined(long now);

    /// <summary>False until <see cref="SetReady"/>.</summary>
    bool IsReady { get; }

    /// <summary>True when the others were told that this node leads no more.</summary>
    bool ReleaseIsKnown(long now);

    void Tick(long now, long wall);

    /// <summary>The application listens and could lead.</summary>
    void SetReady(long now);

    /// <summary>This process is going away: it is never eligible again.</summary>
    void SetDraining(long now);

    /// <summary>Whether this node wants to lead.</summary>
    Standing Standing { get; }

    /// <summary>
    /// From now on this node does not stand, and hands over first if it leads. Refused, with nothing changed, where it leads and
    /// nobody can take over, or is handing over to another than the named one; not refused while it is paused already.
    /// </summary>
    /// <returns>With <see cref="HandoffResult.Accepted"/>, who is to lead next or leads now; null: nobody is known to.</returns>
    HandoffStart Pause(string? toNodeId, long now);

    void Resume(long now);

    /// <summary>In words, why the application is not healthy enough to lead; null: it is.</summary>
    void SetTrouble(string? trouble, long now);

    HandoffStart BeginHandoff(string? toNodeId, HandoffReason reason, long now);

    /// <summary>No writer is inside any more and none can enter: the lease may go.</summary>
    void CompleteDrain(long now);

    /// <summary>The application's stored epoch, for the epoch it was asked for.</summary>
    void ConfirmEpochFloor(long floor, long epoch, long now);

    IReadOnlyList<ElectionEvent> TakeEvents();
}
