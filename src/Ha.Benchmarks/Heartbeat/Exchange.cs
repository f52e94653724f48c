using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;

namespace Ha.Benchmarks.Heartbeat;

/// <summary>A follower of a three-node cluster and signed renewals of its leader, as many as one run takes.</summary>
internal sealed class Exchange
{
    public const int Renewals = 4096;
    public const long Now = 1_000_000_000;
    public const long Wall = 1_763_700_001_000_000;

    private static readonly Guid _leader = Guid.ParseExact("000102030405060708090a0b0c0d0e0f", "N");
    private static readonly Guid _follower = Guid.ParseExact("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "N");
    private static readonly Guid _nonce = Guid.ParseExact("ffffffffffffffffffffffffffffffff", "N");

    private static readonly string[] _ids = ["node-1", "node-2", "node-3"];

    public Exchange()
    {
        Beats = [.. Enumerable.Range(2, Renewals).Select(seq => Renewal(seq))];
        Bodies = [.. Beats.Select(beat => BeatJson.Serialize(beat))];
        Headers = [.. Bodies.Select(body => HeartbeatSignature.SignRequest(Key, body, Wall / 1_000_000))];
        Keys = new KeyRing([new RingKey(Key, null)]);
        Reply = NewFollower().Receive(Beats[0], Now, Wall);
    }

    public HaKey Key { get; } = new HmacKey("a secret for benchmarks only");

    public KeyRing Keys { get; }

    public Beat[] Beats { get; }

    public byte[][] Bodies { get; }

    public SignatureHeaders[] Headers { get; }

    public BeatReply Reply { get; }

    /// <summary>Out of quarantine and acquainted with the leader, whose first renewal it has taken.</summary>
    public static ElectionCore NewFollower()
    {
        var core = new ElectionCore(Config("node-2", _follower), Now - 60_000_000, Wall - 60_000_000);
        core.SetReady(Now);
        core.Receive(Renewal(1), Now, Wall);
        var taken = core.Receive(Renewal(1) with { Nonce = _nonce }, Now, Wall);
        return taken.Granted ? core : throw new InvalidOperationException($"The follower refuses: {taken.Status} {taken.Refusal}.");
    }

    private static ElectionConfig Config(string id, Guid incarnation) => new()
    {
        ClusterId = "default",
        NodeId = id,
        Incarnation = incarnation,
        Target = $"http://{id}:8080",
        PublicTarget = $"https://{id}.example.org",
        Peers = [.. _ids.Where(other => other != id).Select(other => $"http://{other}:8080")],
        IntervalMicros = 500_000,
        LeaseMicros = 1_500_000,
        Majority = true,
        Preempt = PreemptMode.Auto,
        Witness = false,
        DrainMicros = 5_000_000,
        AwaitEpochFloor = false,
        Digest = "0123456789abcdef0123456789abcdef",
        NewNonce = () => _nonce,
    };

    private static Beat Renewal(long seq)
    {
        var leader = new ElectionCore(Config("node-1", _leader), Now, Wall);
        const long Epoch = Wall;
        return leader.CreateBeat(0, Now, Wall) with
        {
            From = leader.CreateBeat(0, Now, Wall).From with
            {
                Role = NodeRole.Leader,
                Quarantined = false,
                Eligible = true,
                Reach = 3,
                Epoch = Epoch,
                LeaseRemainingMicros = 1_200_000,
                MaxEpoch = Epoch,
                Grant = new GrantFacts("node-1", Epoch, 1_300_000),
                Hint = new LeaderHint("https://node-1.example.org", Epoch),
            },
            ToIncarnation = _follower,
            Seq = seq,
            Op = BeatOp.Renew,
            OpEpoch = Epoch,
            OpDurationMicros = 1_500_000,
        };
    }
}
