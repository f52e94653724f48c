using System.Diagnostics.CodeAnalysis;

namespace Ha;

/// <summary>
/// The lease of one unbroken leadership of this node in one epoch, shared by all its snapshots. A new leadership takes a new
/// one. It has no end until <see cref="Renew"/> gives it one. Thread-safe.
/// </summary>
/// <param name="clock">Measures it. Default: the system's, which on Linux stands still while the machine is suspended.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Snapshots outlive it, and its source has neither a timer nor a wait handle.")]
public sealed class LeaderLease(TimeProvider? clock = null)
{
    /// <summary>What never ends: a static leader's.</summary>
    internal static readonly LeaderLease Endless = new();

    private const long NeverRenewed = -1;
    private static long _numbers;

    private readonly CancellationTokenSource _lost = new();
    private volatile bool _ended;
    private long _renewedUntil = NeverRenewed;

    /// <summary>
    /// Fires when the lease was ended by <see cref="End"/>. A lease that merely runs out is for its owner to notice, who then
    /// calls that.
    /// </summary>
    public CancellationToken Lost => _lost.Token;

    internal TimeProvider Clock { get; } = clock ?? TimeProvider.System;

    /// <summary>Another for each lease of this process.</summary>
    internal long Number { get; } = Interlocked.Increment(ref _numbers);

    internal bool Ended => _ended;

    /// <summary>When it ends as of its last renewal, a timestamp of its clock; null where nobody renews it.</summary>
    internal long? RenewedUntil => Volatile.Read(ref _renewedUntil) is var until and not NeverRenewed ? until : null;

    /// <summary>Lets the lease run out after this time unless it is renewed again. A lease that was ended stays so.</summary>
    /// <param name="remaining">From now, 0 or more; count from before the arbiter was asked, not from its answer.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="remaining"/> is negative.</exception>
    public void Renew(TimeSpan remaining)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(remaining, TimeSpan.Zero);
        RenewUntil(EndAfter(remaining, Clock));
    }

    /// <summary>
    /// Ends the lease for good. Every snapshot says so before anybody is told; what is registered on <see cref="Lost"/> runs on
    /// the thread pool.
    /// </summary>
    public void End()
    {
        MarkEnded();
        Notify();
    }

    /// <summary>The timestamp of <paramref name="clock"/> at which so much time has passed.</summary>
    internal static long EndAfter(TimeSpan remaining, TimeProvider clock) =>
        (long)Int128.Min(
            long.MaxValue, clock.GetTimestamp() + (Int128)remaining.Ticks * clock.TimestampFrequency / TimeSpan.TicksPerSecond);

    /// <summary>Every snapshot of this leadership lives as long as its lease. Called under the owner's lock.</summary>
    /// <param name="until">0 while the lease counts for nothing, as after a jump of the clock.</param>
    internal void RenewUntil(long until) => Volatile.Write(ref _renewedUntil, until);

    /// <summary>Under the owner's lock, before any message that gives the lease away can leave.</summary>
    internal void MarkEnded() => _ended = true;

    /// <summary>Outside of the lock. The token has fired when this returns; what is registered on it may take its time.</summary>
    internal void Notify() => _ = _lost.CancelAsync();
}
