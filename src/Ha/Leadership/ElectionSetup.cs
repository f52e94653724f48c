using System.Security.Cryptography;
using Ha.Configuration;
using Ha.Election;
using Ha.Heartbeat;

namespace Ha.Leadership;

/// <summary>From validated options to what one state-machine instance is created with.</summary>
internal static class ElectionSetup
{
    /// <summary>Part of the config digest: members that speak different protocols do not vote together.</summary>
    public const int ProtocolVersion = 1;

    public static ElectionConfig Create(HaOptions options)
    {
        var target = Normalise(options.LocalTarget!);
        string[] peers = [.. options.Peers.Select(Normalise).Where(peer => peer != target)];
        var majority = options.Quorum switch
        {
            QuorumMode.Majority => true,
            QuorumMode.Off => false,
            _ => peers.Length != 1,
        };
        var lease = options.EffectiveLeaseTimeout.ToMicros();
        var interval = options.HeartbeatInterval.ToMicros();
        return new ElectionConfig
        {
            ClusterId = options.ClusterId,
            NodeId = options.NodeId,
            Incarnation = NewRandom(),
            Target = target,
            PublicTarget = options.PublicTarget is null ? target : Normalise(options.PublicTarget),
            Peers = peers,
            IntervalMicros = interval,
            LeaseMicros = lease,
            Majority = majority,
            Preempt = (PreemptMode)options.Preempt,
            Witness = options.Witness,
            DrainMicros = options.DrainTimeout.ToMicros(),
            AwaitEpochFloor = options.EpochFloor is not null,
            Digest = ConfigDigest.Compute(
                options.ClusterId, [.. peers, target], lease, interval, ElectionConfig.DriftPermille, majority, ProtocolVersion),
            NewNonce = NewRandom,
        };
    }

    private static string Normalise(string url) =>
        TargetUrl.TryNormalise(url, out var normalised, out var error) ? normalised : throw new ArgumentException(error, nameof(url));

    /// <summary>128 random bits; <see cref="Guid.NewGuid"/> has six fewer.</summary>
    private static Guid NewRandom()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        return new Guid(bytes);
    }
}
