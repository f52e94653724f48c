namespace Ha.Election;

internal enum NodeRole
{
    Follower,
    Candidate,
    Leader,
}

/// <summary>What a request asks of the voter beside saying that its sender is alive.</summary>
internal enum BeatOp
{
    None,
    Acquire,
    Renew,
    HandoffPrepare,
}

/// <summary>How a request was taken. The endpoint maps each member to one HTTP status.</summary>
internal enum BeatStatus
{
    /// <summary>Processed; <see cref="BeatReply.Granted"/> answers the op.</summary>
    Ok,

    /// <summary>The addressee or sender incarnation is missing or unknown, or the sequence number did not grow.</summary>
    Conflict,

    /// <summary>The sender's cluster id is another one.</summary>
    OtherCluster,

    /// <summary>The sender's target is not one of this node's peers.</summary>
    NotMember,

    /// <summary>The sender uses a NodeID that this node or another member has.</summary>
    DuplicateId,

    /// <summary>The config digests differ; nothing was granted.</summary>
    ConfigMismatch,
}

/// <summary>Why a voter said no.</summary>
internal enum Refusal
{
    None,
    Quarantined,
    Held,
    EpochTooLow,
    Deferred,
    NotEligible,
    Misconfigured,
}

/// <summary>A voter's promise as others may see it: a remaining duration, never a deadline.</summary>
internal readonly record struct GrantFacts(string Holder, long Epoch, long RemainingMicros);

/// <summary>A leader that the sender knows of; others may use it to redirect, never to vote.</summary>
internal readonly record struct LeaderHint(string Target, long Epoch);

/// <summary>
/// What a node says about itself in every request and every reply. All durations are microseconds,
/// and only durations travel. The messages are structs, large as they are, so that a heartbeat allocates nothing.
/// </summary>
internal readonly record struct NodeFacts
{
    public required string ClusterId { get; init; }
    public required string Id { get; init; }
    public required Guid Incarnation { get; init; }

    /// <summary>Normalised URL as members reach it.</summary>
    public required string Target { get; init; }

    /// <summary>Normalised URL as clients reach it.</summary>
    public required string PublicTarget { get; init; }

    public required string Digest { get; init; }
    public required long LeaseMicros { get; init; }
    public required long CandidacyMicros { get; init; }

    /// <summary>True in majority mode, false in off mode.</summary>
    public required bool Majority { get; init; }

    public required bool Witness { get; init; }
    public required bool Quarantined { get; init; }
    public required NodeRole Role { get; init; }
    public required bool Eligible { get; init; }
    public required int Reach { get; init; }

    /// <summary>The epoch this node leads with; 0 unless it is the leader.</summary>
    public required long Epoch { get; init; }

    /// <summary>Remaining lease; 0 unless the node is the leader.</summary>
    public required long LeaseRemainingMicros { get; init; }

    public required long MaxEpoch { get; init; }
    public GrantFacts? Grant { get; init; }
    public LeaderHint? Hint { get; init; }

    /// <summary>Unix microseconds; for choosing epochs and for skew alarms only.</summary>
    public required long WallMicros { get; init; }

    /// <summary>Every epoch up to this one is given up, irrevocably, by this incarnation.</summary>
    public required long ReleasedUpTo { get; init; }

    /// <summary>The last candidacy this incarnation cancelled; 0 if none.</summary>
    public required long CancelledEpoch { get; init; }

    /// <summary>With <see cref="ReleasedUpTo"/>: who was chosen to lead next.</summary>
    public string? Successor { get; init; }
}

/// <summary>One heartbeat request.</summary>
internal readonly record struct Beat
{
    public required NodeFacts From { get; init; }

    /// <summary>The incarnation this request is for; empty before the first contact.</summary>
    public required Guid ToIncarnation { get; init; }

    /// <summary>The nonce of the addressee's last 409; empty otherwise.</summary>
    public required Guid Nonce { get; init; }

    /// <summary>Grows with every request of one incarnation to one peer.</summary>
    public required long Seq { get; init; }

    public required BeatOp Op { get; init; }
    public required long OpEpoch { get; init; }
    public required long OpDurationMicros { get; init; }
}

/// <summary>The answer to one <see cref="Beat"/>.</summary>
internal readonly record struct BeatReply
{
    public required BeatStatus Status { get; init; }
    public required NodeFacts From { get; init; }

    /// <summary>The incarnation and sequence number of the request this answers.</summary>
    public required Guid ToIncarnation { get; init; }
    public required long Seq { get; init; }

    /// <summary>With <see cref="BeatStatus.Conflict"/>: echo this to prove that the next request is fresh.</summary>
    public required Guid Nonce { get; init; }

    public required long OpEpoch { get; init; }
    public required bool Granted { get; init; }
    public required Refusal Refusal { get; init; }

    /// <summary>With a refusal that passes by itself: how long until it does.</summary>
    public required long RefusalRemainingMicros { get; init; }

    /// <summary>The lowest epoch that is too low for this voter.</summary>
    public required long EpochFloor { get; init; }
}
