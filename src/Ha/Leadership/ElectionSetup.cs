using System.Security.Cryptography;
using Ha.Election;

namespace Ha.Leadership;

/// <summary>From options that were validated, and so normalised, to what one state-machine instance is created with.</summary>
internal static class ElectionSetup
{
    public static ElectionConfig Create(HaOptions options)
    {
        var target = options.LocalTarget!;
        var lease = options.EffectiveLeaseTimeout.ToMicros();
        var interval = options.HeartbeatInterval.ToMicros();
        return new ElectionConfig
        {
            ClusterId = options.ClusterId,
            NodeId = options.NodeId,
            Incarnation = NewRandom(),
            Target = target,
            PublicTarget = options.PublicTarget ?? target,
            Peers = [.. options.Peers],
            IntervalMicros = interval,
            LeaseMicros = lease,
            Majority = options.UsesMajority,
            Preempt = (PreemptMode)options.Preempt,
            Witness = options.Witness,
            DrainMicros = options.DrainTimeout.ToMicros(),
            AwaitEpochFloor = options.RaiseFence is not null,
            Digest = ConfigDigest.Compute(
                options.ClusterId, [.. options.Peers, target], lease, interval, ElectionConfig.DriftPermille, options.UsesMajority),
            NewNonce = NewRandom,
        };
    }

    /// <summary>128 random bits; <see cref="Guid.NewGuid"/> has six fewer.</summary>
    private static Guid NewRandom()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        return new Guid(bytes);
    }
}
