namespace Ha.Election;

/// <summary>Things worth telling a person, a log or a counter. The core collects them, its owner drains them.</summary>
internal enum ElectionEventKind
{
    QuarantineEnded,
    QuarantineExtended,
    CampaignStarted,
    CampaignCancelled,
    CampaignRefusedSlowNetwork,
    LeadershipWon,
    EpochBumped,
    LeadershipLapsed,
    LeadershipReleased,
    LeaderSeen,
    LeaderLost,
    HandoffStarted,
    HandoffAborted,
    DrainTimedOut,
    PreemptionPending,
    ConflictSeen,
    ClockJumped,
    DuplicateId,
    ConfigMismatch,
    PeerUp,
    PeerDown,
    NobodyLeads,
    TwinSeen,
    StoreAway,
    StoreBack,
    RecordRefused,
    Paused,
    Resumed,
    Unhealthy,
    Recovered,
}

/// <param name="Kind">What happened.</param>
/// <param name="Node">The node it is about, when it is not this one.</param>
/// <param name="Epoch">The epoch concerned, or 0.</param>
/// <param name="Why">A few words for people.</param>
internal readonly record struct ElectionEvent(ElectionEventKind Kind, string? Node, long Epoch, string Why);
