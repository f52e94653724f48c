using Ha.Leadership;

namespace Ha.Forwarding;

/// <summary>
/// One write on the leader: the token that the handler gets, its place inside the gate, and the refusal that some
/// inner exception handler may have caught before the middleware could.
/// </summary>
internal sealed class LeaderRun(ILeaderProvider provider, LeadershipSnapshot admitted, TimeSpan guard, WriteGate? gate) : IHaFeature
{
    private WriteGate? _gate = gate;

    public long Epoch => admitted.Epoch;

    public CancellationToken LeaseLost => admitted.LeaseLost;

    public void EnsureStillLeader()
    {
        var now = provider.Current;
        if (!(IsUnbroken(now) && now.IsLeaderFor(guard)))
        {
            throw new NotLeaderException(ForwardDecision.LeadsElsewhere(now) ? now.LeaderUrl : null);
        }
    }

    /// <summary>
    /// True when what was committed until now was committed under the lease. Without the guard: that is for what
    /// lies ahead, this is about what is past.
    /// </summary>
    public bool StillLeads()
    {
        var now = provider.Current;
        return IsUnbroken(now) && now.IsLeader;
    }

    /// <summary>Leaves the gate; later calls do nothing.</summary>
    public void LeaveGate() => Interlocked.Exchange(ref _gate, value: null)?.Exit();

    // A renewal publishes a new snapshot with the same pair; any break in between changes at least one of the two.
    private bool IsUnbroken(LeadershipSnapshot now) =>
        now.LeadsSelf && now.Epoch == admitted.Epoch && now.Generation == admitted.Generation;

    /// <summary>What the handler needs before a commit: <c>max(15 ms, T/20)</c> (docs/protocol.md, section 1).</summary>
    public static TimeSpan CommitGuard(TimeSpan lease)
    {
        var twentieth = lease / 20;
        var least = TimeSpan.FromMilliseconds(15);
        return twentieth > least ? twentieth : least;
    }
}
