namespace Ha.Leadership;

/// <summary>
/// One unbroken leadership in one epoch. Its end is marked under the owner's lock, before any message that gives the
/// lease away can leave; callbacks of the token run later, outside the lock.
/// </summary>
internal sealed class LeadershipTerm
{
    /// <summary>What never ends: a static leader's.</summary>
    public static readonly LeadershipTerm Endless = new();

    private const long NeverRenewed = -1;

    private readonly CancellationTokenSource _lost = new();
    private volatile bool _ended;
    private long _renewedUntil = NeverRenewed;

    public bool Ended => _ended;

    public CancellationToken LeaseLost => _lost.Token;

    /// <summary>When the lease ends as of its last renewal, a timestamp of the owner's clock; null where nobody renews it.</summary>
    public long? RenewedUntil => Volatile.Read(ref _renewedUntil) is var until and not NeverRenewed ? until : null;

    /// <summary>Every snapshot of this leadership lives as long as its lease. Called under the owner's lock.</summary>
    /// <param name="until">0 while the lease counts for nothing, as after a jump of the clock.</param>
    public void Renew(long until) => Volatile.Write(ref _renewedUntil, until);

    public void End() => _ended = true;

    /// <summary>The token has fired when this returns; what is registered on it runs on the pool and may take its time.</summary>
    public void Notify() => _ = _lost.CancelAsync();
}
