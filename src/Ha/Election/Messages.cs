using System.Text.Json.Serialization;

namespace Ha.Election;

// What members say to each other, as it goes over the wire: names in snake case, written in the order of the properties.
// docs/heartbeat.md explains every member. A value without a converter of its own is checked by that of its type, see
// MessageConverters.cs: 32 digits for a Guid, a name for a string, what every JSON library reads exactly for a long.

[JsonConverter(typeof(WordConverter<NodeRole>))]
internal enum NodeRole
{
    Follower,
    Candidate,
    Leader,
}

/// <summary>What a request asks of the voter beside saying that its sender is alive.</summary>
[JsonConverter(typeof(WordConverter<BeatOp>))]
internal enum BeatOp
{
    None,
    Acquire,
    Renew,
    HandoffPrepare,
}

/// <summary>How a request was taken. The endpoint maps each member to one HTTP status.</summary>
[JsonConverter(typeof(WordConverter<BeatStatus>))]
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
[JsonConverter(typeof(WordConverter<Refusal>))]
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
internal sealed record GrantFacts(
    string Holder,
    [property: JsonConverter(typeof(EpochConverter))] long Epoch,
    [property: JsonPropertyName("remaining_us"), JsonConverter(typeof(DurationConverter))] long RemainingMicros);

/// <summary>A leader that the sender knows of; others may use it to redirect, never to vote.</summary>
internal sealed record LeaderHint(
    [property: JsonConverter(typeof(UrlConverter))] string Target,
    [property: JsonConverter(typeof(EpochConverter))] long Epoch);

/// <summary>
/// What a node says about itself in every request and every reply. All durations are microseconds,
/// and only durations travel.
/// </summary>
internal sealed record NodeFacts
{
    public required string ClusterId { get; init; }

    public required string Id { get; init; }

    public required Guid Incarnation { get; init; }

    /// <summary>Normalised URL as members reach it.</summary>
    [JsonConverter(typeof(UrlConverter))]
    public required string Target { get; init; }

    /// <summary>Normalised URL as clients reach it.</summary>
    [JsonConverter(typeof(UrlConverter))]
    public required string PublicTarget { get; init; }

    public required string Digest { get; init; }

    [JsonPropertyName("lease_us"), JsonConverter(typeof(DurationConverter))]
    public required long LeaseMicros { get; init; }

    [JsonPropertyName("candidacy_us"), JsonConverter(typeof(DurationConverter))]
    public required long CandidacyMicros { get; init; }

    /// <summary>True in majority mode, false in off mode.</summary>
    public required bool Majority { get; init; }

    public required bool Witness { get; init; }

    public required bool Quarantined { get; init; }

    public required NodeRole Role { get; init; }

    public required bool Eligible { get; init; }

    public required int Reach { get; init; }

    /// <summary>The epoch this node leads with; 0 unless it is the leader.</summary>
    [JsonConverter(typeof(EpochConverter))]
    public required long Epoch { get; init; }

    /// <summary>Remaining lease; 0 unless the node is the leader.</summary>
    [JsonPropertyName("lease_remaining_us"), JsonConverter(typeof(DurationConverter))]
    public required long LeaseRemainingMicros { get; init; }

    [JsonConverter(typeof(EpochConverter))]
    public required long MaxEpoch { get; init; }

    /// <summary>Unix microseconds; for choosing epochs and for skew alarms only.</summary>
    [JsonPropertyName("wall_us")]
    public required long WallMicros { get; init; }

    /// <summary>Every epoch up to this one is given up, irrevocably, by this incarnation.</summary>
    [JsonConverter(typeof(EpochConverter))]
    public required long ReleasedUpTo { get; init; }

    /// <summary>The last candidacy this incarnation cancelled; 0 if none.</summary>
    [JsonConverter(typeof(EpochConverter))]
    public required long CancelledEpoch { get; init; }

    public GrantFacts? Grant { get; init; }

    public LeaderHint? Hint { get; init; }

    /// <summary>With <see cref="ReleasedUpTo"/>: who was chosen to lead next.</summary>
    public string? Successor { get; init; }

    /// <summary>True: an operator told it not to lead, so it is not <see cref="Eligible"/>. Absent: no, or an older node.</summary>
    public bool? Paused { get; init; }

    /// <summary>True: its application's health keeps it from leading, so it is not <see cref="Eligible"/>. Absent: as <see cref="Paused"/>.</summary>
    public bool? Unhealthy { get; init; }
}

/// <summary>One heartbeat request.</summary>
internal sealed record Beat
{
    public required NodeFacts From { get; init; }

    /// <summary>The incarnation this request is for; empty before the first contact.</summary>
    public required Guid ToIncarnation { get; init; }

    /// <summary>The nonce of the addressee's last 409; empty otherwise.</summary>
    public required Guid Nonce { get; init; }

    /// <summary>Grows with every request of one incarnation to one peer.</summary>
    public required long Seq { get; init; }

    public required BeatOp Op { get; init; }

    [JsonConverter(typeof(EpochConverter))]
    public required long OpEpoch { get; init; }

    [JsonPropertyName("op_duration_us"), JsonConverter(typeof(DurationConverter))]
    public required long OpDurationMicros { get; init; }
}

/// <summary>The answer to one <see cref="Beat"/>.</summary>
internal sealed record BeatReply
{
    public required BeatStatus Status { get; init; }

    public required NodeFacts From { get; init; }

    /// <summary>The incarnation and sequence number of the request this answers.</summary>
    public required Guid ToIncarnation { get; init; }

    public required long Seq { get; init; }

    /// <summary>With <see cref="BeatStatus.Conflict"/>: echo this to prove that the next request is fresh.</summary>
    public required Guid Nonce { get; init; }

    [JsonConverter(typeof(EpochConverter))]
    public required long OpEpoch { get; init; }

    public required bool Granted { get; init; }

    public required Refusal Refusal { get; init; }

    /// <summary>With a refusal that passes by itself: how long until it does.</summary>
    [JsonPropertyName("refusal_remaining_us"), JsonConverter(typeof(DurationConverter))]
    public required long RefusalRemainingMicros { get; init; }

    /// <summary>The lowest epoch that is too low for this voter.</summary>
    [JsonConverter(typeof(EpochConverter))]
    public required long EpochFloor { get; init; }
}
