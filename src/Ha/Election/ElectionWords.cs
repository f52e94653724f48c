namespace Ha.Election;

/// <summary>The enums of the election as people read them, each to follow a colon.</summary>
internal static class ElectionWords
{
    public static string Of(Refusal refusal) => refusal switch
    {
        Refusal.None => "it was not asked",
        Refusal.Quarantined => "it has just started and does not vote yet",
        Refusal.Held => "its vote is promised to another node",
        Refusal.EpochTooLow => "it has voted in a later epoch",
        Refusal.Deferred => "it waits for a node with a lower NodeID",
        Refusal.NotEligible => "it cannot lead now",
        Refusal.Misconfigured => "a NodeID is used more than once",
        _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal, message: null),
    };

    public static string Of(HandoffReason reason) => reason switch
    {
        HandoffReason.StepDown => "asked to step down",
        HandoffReason.Shutdown => "shutting down",
        HandoffReason.Preemption => "a lower NodeID is back",
        HandoffReason.Paused => "asked to pause",
        HandoffReason.Unhealthy => "the application is not healthy here",
        HandoffReason.FixedLeader => "a member has a fixed leader",
        HandoffReason.FenceUnreachable => "the application's fence cannot be raised here",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, message: null),
    };

    public static string Of(BeatStatus status) => status switch
    {
        BeatStatus.Ok => "it takes this node's heartbeats",
        BeatStatus.Conflict => "it takes this node's heartbeats for old ones",
        BeatStatus.OtherCluster => "it says that this node is of another cluster",
        BeatStatus.NotMember => "it says that this node is not in its BASE_PEERS",
        BeatStatus.DuplicateId => "it says that this node's NodeID is used more than once",
        BeatStatus.ConfigMismatch => "it says that this node has other settings",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, message: null),
    };
}
