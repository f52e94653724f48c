using Ha.Election;

namespace Ha.Tests.Heartbeat;

/// <summary>Complete messages to vary with <c>with</c>.</summary>
internal static class Beats
{
    public static readonly Guid Inc = Guid.ParseExact("000102030405060708090a0b0c0d0e0f", "N");
    public static readonly Guid ToInc = Guid.ParseExact("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "N");
    public static readonly Guid Nonce = Guid.ParseExact("ffffffffffffffffffffffffffffffff", "N");

    public static NodeFacts Facts(string id = "node-1") => new()
    {
        ClusterId = "default",
        Id = id,
        Incarnation = Inc,
        Target = "http://node-1:8080",
        PublicTarget = "https://one.example.org",
        Digest = "0123456789abcdef0123456789abcdef",
        LeaseMicros = 1_500_000,
        CandidacyMicros = 500_000,
        Majority = true,
        Witness = false,
        Quarantined = false,
        Role = NodeRole.Leader,
        Eligible = true,
        Reach = 3,
        Epoch = 1_763_700_000_000_000,
        LeaseRemainingMicros = 1_200_000,
        MaxEpoch = 1_763_700_000_000_000,
        Grant = new GrantFacts("node-1", 1_763_700_000_000_000, 1_300_000),
        Hint = new LeaderHint("http://node-1:8080", 1_763_700_000_000_000),
        WallMicros = 1_763_700_001_000_000,
        ReleasedUpTo = 0,
        CancelledEpoch = 0,
        Successor = "node-2",
    };

    public static Beat Request(long seq = 7, string id = "node-1") => new()
    {
        From = Facts(id),
        ToIncarnation = ToInc,
        Nonce = Guid.Empty,
        Seq = seq,
        Op = BeatOp.Renew,
        OpEpoch = 1_763_700_000_000_000,
        OpDurationMicros = 1_500_000,
    };

    public static BeatReply Reply(BeatStatus status = BeatStatus.Ok, long seq = 7) => new()
    {
        Status = status,
        From = Facts("node-2"),
        ToIncarnation = Inc,
        Seq = seq,
        Nonce = Nonce,
        OpEpoch = 1_763_700_000_000_000,
        Granted = true,
        Refusal = Refusal.None,
        RefusalRemainingMicros = 0,
        EpochFloor = 1_763_600_000_000_000,
    };
}
