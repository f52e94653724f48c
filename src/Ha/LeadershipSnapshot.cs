using Ha.Http;

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
    internal LeaderLease Lease { get; init; } = LeaderLease.Endless;

    /// <summary>True when the role, without the lease, is leader.</summary>
    internal bool LeadsSelf { get; init; }

    /// <summary>With the epoch it identifies one unbroken leadership.</summary>
    internal long Generation { get; init; }

    /// <summary>The leader's URL as members reach it: where the proxy forwards to.</summary>
    internal string? LeaderTarget { get; init; }

    /// <summary>True when new writes may start here: leader, not handing over, not re-validating its clock.</summary>
    internal bool AdmitsWrites { get; init; }

    /// <summary>How much of the lease a commit needs; set by who knows how long the lease is.</summary>
    internal TimeSpan CommitGuard { get; init; } = TimeSpan.FromMilliseconds(15);

    /// <summary>True while this node holds a lease that it may not use yet, because the application's fence is not raised.</summary>
    internal bool AwaitsFence { get; init; }

    /// <summary>In words, why nobody leads; null while somebody does, or nothing is known.</summary>
    internal string? WhyNobodyLeads { get; init; }

    /// <summary>True while the start-up quarantine lasts.</summary>
    internal bool Quarantined { get; init; }

    /// <summary>True until the server listens and <see cref="HaOptions.WarmUp"/> has ended.</summary>
    internal bool Starting { get; init; }

    /// <summary>True while handing over or shutting down.</summary>
    internal bool Draining { get; init; }

    /// <summary>This node leads.</summary>
    /// <param name="nodeId">This node's id.</param>
    /// <param name="epoch">The fencing token, 0 or more: strictly greater for each new leadership of the cluster.</param>
    /// <param name="lease">The same for every snapshot of one unbroken leadership, a new one for the next.</param>
    /// <param name="url">This node's base URL as clients reach it, <c>http</c> or <c>https</c>; null: it has none.</param>
    /// <param name="admitsWrites">False while this node hands over: no new write starts here, and <c>ready</c> says draining.</param>
    /// <returns>A snapshot that sees the renewals and the end of <paramref name="lease"/>.</returns>
    /// <exception cref="ArgumentException">An id is empty, an epoch negative, or a URL no base URL.</exception>
    public static LeadershipSnapshot Leader(string nodeId, long epoch, LeaderLease lease, string? url = null, bool admitsWrites = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(nodeId);
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentNullException.ThrowIfNull(lease);
        var normalised = url is null ? null : Normalised(url, nameof(url));
        return new LeadershipSnapshot(lease.Clock, long.MaxValue)
        {
            NodeId = nodeId,
            LeadsSelf = true,
            AdmitsWrites = admitsWrites,
            Draining = !admitsWrites,
            LeaderId = nodeId,
            LeaderUrl = normalised,
            LeaderTarget = normalised,
            Epoch = epoch,
            Generation = lease.Number,
            Lease = lease,
        };
    }

    /// <summary>Another node leads.</summary>
    /// <param name="nodeId">This node's id.</param>
    /// <param name="leaderId">The leader's id.</param>
    /// <param name="leaderUrl">The leader's base URL as clients reach it, <c>http</c> or <c>https</c>: where redirects lead.</param>
    /// <param name="epoch">The leader's epoch, 0 or more.</param>
    /// <param name="leaseRemaining">For how long from now nobody else can lead; null: no end is known.</param>
    /// <param name="leaderTarget">The leader's base URL as this node reaches it: where writes are forwarded. Null: <paramref name="leaderUrl"/>.</param>
    /// <param name="clock">Measures <paramref name="leaseRemaining"/>. Default: the system's.</param>
    /// <exception cref="ArgumentException">An id is empty, both ids are the same, an epoch or a time is negative, or a URL no base URL.</exception>
    public static LeadershipSnapshot Follower(
        string nodeId,
        string leaderId,
        string leaderUrl,
        long epoch,
        TimeSpan? leaseRemaining = null,
        string? leaderTarget = null,
        TimeProvider? clock = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(nodeId);
        ArgumentException.ThrowIfNullOrEmpty(leaderId);
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfLessThan(leaseRemaining ?? TimeSpan.Zero, TimeSpan.Zero, nameof(leaseRemaining));
        if (string.Equals(nodeId, leaderId, StringComparison.Ordinal))
        {
            throw new ArgumentException("A node does not follow itself; see Leader.", nameof(leaderId));
        }

        clock ??= TimeProvider.System;
        var url = Normalised(leaderUrl, nameof(leaderUrl));
        return new LeadershipSnapshot(clock, leaseRemaining is { } left ? LeaderLease.EndAfter(left, clock) : long.MaxValue)
        {
            NodeId = nodeId,
            LeaderId = leaderId,
            LeaderUrl = url,
            LeaderTarget = leaderTarget is null ? url : Normalised(leaderTarget, nameof(leaderTarget)),
            Epoch = epoch,
        };
    }

    /// <summary>Nobody is known to lead: writes wait.</summary>
    /// <param name="nodeId">This node's id.</param>
    /// <param name="why">A few words for people, each to follow "Nobody leads: "; null: nothing is known.</param>
    /// <exception cref="ArgumentException"><paramref name="nodeId"/> is empty.</exception>
    public static LeadershipSnapshot Nobody(string nodeId, string? why = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(nodeId);
        return new LeadershipSnapshot(TimeProvider.System, 0) { NodeId = nodeId, WhyNobodyLeads = why };
    }

    /// <summary>True when the lease is good for more than <paramref name="guard"/>.</summary>
    internal bool IsLeaderFor(TimeSpan guard)
    {
        var until = LeaseUntil;
        return LeadsSelf && !Lease.Ended && (until == long.MaxValue || _clock.GetElapsedTime(_clock.GetTimestamp(), until) > guard);
    }

    private long LeaseUntil => (LeadsSelf ? Lease.RenewedUntil : null) ?? _saidUntil;

    private static string Normalised(string url, string parameter) =>
        TargetUrl.TryNormalise(url, out var normalised, out var error) ? normalised : throw new ArgumentException(error, parameter);
}
