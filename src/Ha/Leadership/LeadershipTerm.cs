namespace Ha.Leadership;

/// <summary>
/// One unbroken leadership in one epoch. Its end is marked under the owner's lock, before any message that gives the
/// lease away can leave; callbacks of the token run later, outside the lock.
/// </summary>
internal sealed class LeadershipTerm
{
    /// <summary>What never ends: a static leader's.</summary>
    public static readonly LeadershipTerm Endless = new();

    private readonly CancellationTokenSource _lost = new();
    private volatile bool _ended;

    public bool Ended => _ended;

    public CancellationToken LeaseLost => _lost.Token;

    public void End() => _ended = true;

    /// <summary>The token has fired when this returns; what is registered on it runs on the pool and may take its time.</summary>
    public void Notify() => _ = _lost.CancelAsync();
}
