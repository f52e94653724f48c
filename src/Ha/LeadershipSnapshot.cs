using Ha.Leadership;

namespace Ha;

/// <summary>
/// One coherent, immutable view of leadership. Only two members move, and only one way: <see cref="IsLeader"/>
/// falls to false when the lease known to this snapshot runs out or is given up, and <see cref="LeaseRemaining"/>
/// shrinks, so a snapshot kept too long errs on the safe side. Thread-safe.
/// </summary>
public sealed class LeadershipSnapshot
{
    private readonly TimeProvider _clock;
    private readonly long _leaseUntil;

    internal LeadershipSnapshot(TimeProvider clock, long leaseUntilTimestamp)
    {
        _clock = clock;
        _leaseUntil = leaseUntilTimestamp;
    }

    /// <summary>This node's id.</summary>
    public required string NodeId { get; init; }

    /// <summary>True while this node holds a valid lease, evaluated at each call.</summary>
    public bool IsLeader => LeadsSelf && !Term.Ended && (_leaseUntil == long.MaxValue || _clock.GetTimestamp() < _leaseUntil);

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
            if (_leaseUntil == long.MaxValue)
            {
                return LeaderId is null ? TimeSpan.Zero : Timeout.InfiniteTimeSpan;
            }

            var left = _clock.GetElapsedTime(_clock.GetTimestamp(), _leaseUntil);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Fires when the leadership this snapshot shows ends; already fired when this node does not lead.</summary>
    public CancellationToken LeaseLost => LeadsSelf ? Term.LeaseLost : new CancellationToken(canceled: true);

    /// <summary>The leadership this snapshot is of; ended before anybody else is told.</summary>
    internal LeadershipTerm Term { get; init; } = LeadershipTerm.Endless;

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

    /// <summary>True when the lease is good for at least <paramref name="guard"/> more.</summary>
    internal bool IsLeaderFor(TimeSpan guard) =>
        LeadsSelf && !Term.Ended
        && (_leaseUntil == long.MaxValue || _clock.GetElapsedTime(_clock.GetTimestamp(), _leaseUntil) > guard);
}
