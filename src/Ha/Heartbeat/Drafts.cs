using Ha.Election;

namespace Ha.Heartbeat;

// What has been read of a message so far. Fields, because the reader fills them by reference and in any order.

internal struct FactsDraft
{
    public string? ClusterId, Id, Target, PublicTarget, Digest, Successor;
    public Guid Incarnation;
    public long LeaseMicros, CandidacyMicros, Reach, Epoch, LeaseRemainingMicros, MaxEpoch, WallMicros, ReleasedUpTo, CancelledEpoch;
    public bool Majority, Witness, Quarantined, Eligible;
    public int Role;
    public GrantFacts? Grant;
    public LeaderHint? Hint;

    /// <summary>Only after every required member was read.</summary>
    public readonly NodeFacts Build() => new()
    {
        ClusterId = ClusterId!,
        Id = Id!,
        Incarnation = Incarnation,
        Target = Target!,
        PublicTarget = PublicTarget!,
        Digest = Digest!,
        LeaseMicros = LeaseMicros,
        CandidacyMicros = CandidacyMicros,
        Majority = Majority,
        Witness = Witness,
        Quarantined = Quarantined,
        Role = (NodeRole)Role,
        Eligible = Eligible,
        Reach = (int)Reach,
        Epoch = Epoch,
        LeaseRemainingMicros = LeaseRemainingMicros,
        MaxEpoch = MaxEpoch,
        Grant = Grant,
        Hint = Hint,
        WallMicros = WallMicros,
        ReleasedUpTo = ReleasedUpTo,
        CancelledEpoch = CancelledEpoch,
        Successor = Successor,
    };
}

internal struct BeatDraft
{
    public FactsDraft From;
    public Guid ToIncarnation, Nonce;
    public long Seq, OpEpoch, OpDurationMicros;
    public int Op;

    public readonly Beat Build() => new()
    {
        From = From.Build(),
        ToIncarnation = ToIncarnation,
        Nonce = Nonce,
        Seq = Seq,
        Op = (BeatOp)Op,
        OpEpoch = OpEpoch,
        OpDurationMicros = OpDurationMicros,
    };
}

internal struct ReplyDraft
{
    public FactsDraft From;
    public Guid ToIncarnation, Nonce;
    public long Seq, OpEpoch, RefusalRemainingMicros, EpochFloor;
    public int Status, Refusal;
    public bool Granted;

    public readonly BeatReply Build() => new()
    {
        Status = (BeatStatus)Status,
        From = From.Build(),
        ToIncarnation = ToIncarnation,
        Seq = Seq,
        Nonce = Nonce,
        OpEpoch = OpEpoch,
        Granted = Granted,
        Refusal = (Refusal)Refusal,
        RefusalRemainingMicros = RefusalRemainingMicros,
        EpochFloor = EpochFloor,
    };
}
