using System.Diagnostics.CodeAnalysis;

namespace Ha;

/// <summary>
/// One coherent view of leadership. It never changes, but for what the lease says at each look: a snapshot of this node's
/// own leadership sees its renewals, so <see cref="IsLeader"/> is true for as long as that very leadership lasts, and
/// false for good once it has ended. A snapshot of another node's sees none, so one kept too long errs on the safe side.
/// Thread-safe.
/// </summary>
public sealed class LeadershipSnapshot
{
    private readonly TimeProvider _clock;
    private readonly long _saidUntil;

    internal LeadershipSnapshot(TimeProvider clock, long leaseUntilTimestamp)
    {
        _clock = clock;
        _saidUntil = leaseUntilTimestamp;
    }

    /// <summary>This node's id.</summary>
    public required string NodeId { get; init; }

    /// <summary>True while this node holds a valid lease in <see cref="Epoch"/>, evaluated at each call.</summary>
    public bool IsLeader => IsLeaderFor(TimeSpan.Zero);

    /// <summary>The leader's id, or null when no leader is known.</summary>
    public string? LeaderId { get; init; }

    /// <summary>The leader's URL as clients reach it, or null when no leader is known.</summary>
    public string? LeaderUrl { get; init; }

    /// <summary>The leader's epoch, the fencing token: strictly greater for each new leadership. 0 when none is known.</summary>
    public long Epoch { get; init; }

    /// <summary>
    /// How long the leader's lease lasts from now if nobody renews it; zero when none is known or it ran out,
    /// <see cref="Timeout.InfiniteTimeSpan"/> for a static leader.
    /// </summary>
    public TimeSpan LeaseRemaining
    {
        get
        {
            var until = LeaseUntil;
            if (until == long.MaxValue)
            {
                return LeaderId is null ? TimeSpan.Zero : Timeout.InfiniteTimeSpan;
            }

            var left = LeadsSelf && Lease.Ended ? TimeSpan.Zero : _clock.GetElapsedTime(_clock.GetTimestamp(), until);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Fires when the leadership this snapshot shows ends; already fired when this node does not lead.</summary>
    public CancellationToken LeaseLost => LeadsSelf ? Lease.Lost : new CancellationToken(canceled: true);

    /// <summary>Where writes go, as clients reach it; null when nobody is known to lead, or this node does.</summary>
    internal string? RedirectTarget => !LeadsSelf && KnowsLeader ? LeaderUrl : null;

    /// <summary>True while somebody leads, evaluated at each call: a snapshot outlives the lease it shows, and then names nobody.</summary>
    internal bool KnowsLeader => LeaderId is not null && LeaseRemaining != TimeSpan.Zero;

    /// <summary>The lease of this node's own leadership; ended before anybody else is told.</summary>
    internal OwnLease Lease { get; init; } = OwnLease.Endless;

    /// <summary>True when the role, without the lease, is leader.</summary>
    internal bool LeadsSelf { get; init; }

    /// <summary>Raised whenever promises are invalidated; with the epoch it identifies one unbroken leadership.</summary>
    internal long Generation { get; init; }

    /// <summary>The leader's URL as members reach it: where the proxy forwards to.</summary>
    internal string? LeaderTarget { get; init; }

    /// <summary>True when new writes may start here: leader, not handing over, not re-validating its clock.</summary>
    internal bool AdmitsWrites { get; init; }

    /// <summary>True while this node holds a lease that it may not use yet, because the application's fence is not raised.</summary>
    internal bool AwaitsFence { get; init; }

    /// <summary>In words, why nobody leads; null while somebody does, or nothing is known.</summary>
    internal string? WhyNobodyLeads { get; init; }

    /// <summary>True while the start-up quarantine lasts.</summary>
    internal bool Quarantined { get; init; }

    /// <summary>True while handing over or shutting down.</summary>
    internal bool Draining { get; init; }

    /// <summary>True when the lease is good for more than <paramref name="guard"/>.</summary>
    internal bool IsLeaderFor(TimeSpan guard)
    {
        var until = LeaseUntil;
        return LeadsSelf && !Lease.Ended && (until == long.MaxValue || _clock.GetElapsedTime(_clock.GetTimestamp(), until) > guard);
    }

    private long LeaseUntil => (LeadsSelf ? Lease.RenewedUntil : null) ?? _saidUntil;

    /// <summary>
    /// The lease of one unbroken leadership of this node in one epoch, shared by all its snapshots. Its end is marked under
    /// the owner's lock, before any message that gives the lease away can leave; callbacks of the token run later, outside
    /// the lock.
    /// </summary>
    [SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Snapshots outlive it, and its source has neither a timer nor a wait handle.")]
    internal sealed class OwnLease
    {
        /// <summary>What never ends: a static leader's.</summary>
        public static readonly OwnLease Endless = new();

        private const long NeverRenewed = -1;

        private readonly CancellationTokenSource _lost = new();
        private volatile bool _ended;
        private long _renewedUntil = NeverRenewed;

        public bool Ended => _ended;

        public CancellationToken Lost => _lost.Token;

        /// <summary>When it ends as of its last renewal, a timestamp of the owner's clock; null where nobody renews it.</summary>
        public long? RenewedUntil => Volatile.Read(ref _renewedUntil) is var until and not NeverRenewed ? until : null;

        /// <summary>Every snapshot of this leadership lives as long as its lease. Called under the owner's lock.</summary>
        /// <param name="until">0 while the lease counts for nothing, as after a jump of the clock.</param>
        public void Renew(long until) => Volatile.Write(ref _renewedUntil, until);

        public void End() => _ended = true;

        /// <summary>The token has fired when this returns; what is registered on it runs on the pool and may take its time.</summary>
        public void Notify() => _ = _lost.CancelAsync();
    }
}
