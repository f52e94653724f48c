using System.Security.Cryptography;
using Ha.Configuration;
using Ha.Election;
using Ha.Leases;

namespace Ha.Leadership;

/// <summary>From settings to what one state-machine instance is created with.</summary>
internal static class ElectionSetup
{
    public static ElectionConfig Create(HaSettings settings, Surroundings surroundings)
    {
        var target = settings.LocalTarget!;
        var lease = settings.LeaseTimeout.ToMicros();
        var interval = settings.HeartbeatInterval.ToMicros();
        return new ElectionConfig
        {
            ClusterId = settings.ClusterId,
            NodeId = settings.NodeId,
            Incarnation = surroundings.NewRandom(),
            Target = target,
            PublicTarget = settings.PublicTarget!,
            Peers = settings.Peers,
            IntervalMicros = interval,
            LeaseMicros = lease,
            Majority = settings.UsesMajority,
            Preempt = (PreemptMode)settings.Preempt,
            Witness = settings.Witness,
            DrainMicros = settings.DrainTimeout.ToMicros(),
            AwaitEpochFloor = settings.RaiseFence is not null,
            Digest = ConfigDigest.Compute(
                settings.ClusterId, [.. settings.Peers, target], lease, interval, ElectionConfig.DriftPermille, settings.UsesMajority),
            NewNonce = surroundings.NewRandom,
        };
    }

    /// <param name="settings">In effect.</param>
    /// <param name="store"><see cref="ILeaseStore.Description"/>.</param>
    /// <param name="surroundings">Its chances.</param>
    public static LeaseConfig CreateLease(HaSettings settings, string store, Surroundings surroundings) => new()
    {
        NodeId = settings.NodeId,
        Incarnation = surroundings.NewRandom(),
        Target = settings.LocalTarget!,
        PublicTarget = settings.PublicTarget!,
        LeaseMicros = settings.LeaseTimeout.ToMicros(),
        DrainMicros = settings.DrainTimeout.ToMicros(),
        AwaitEpochFloor = settings.RaiseFence is not null,
        Jitter = surroundings.Jitter,
        StoreDescription = store,
    };

    /// <summary>128 random bits; <see cref="Guid.NewGuid"/> has six fewer.</summary>
    public static Guid NewRandom()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        return new Guid(bytes);
    }
}
