namespace Ha.Leadership;

/// <summary>
/// The token that handlers get: one unbroken leadership. Shared by all writes that were admitted under it, so a handler
/// may keep it for as long as it likes. Thread-safe.
/// </summary>
internal sealed class WritePermit(ILeaderProvider provider, LeadershipSnapshot admitted, TimeSpan guard) : IHaFeature
{
    public LeadershipSnapshot Admitted => admitted;

    public long Epoch => admitted.Epoch;

    public CancellationToken LeaseLost => admitted.LeaseLost;

    public void EnsureStillLeader()
    {
        var now = provider.Current;
        if (!(IsUnbroken(now) && now.IsLeaderFor(guard)))
        {
            throw Refusal(now);
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

    /// <summary>
    /// True for a snapshot of the same unbroken leadership. A renewal publishes a new snapshot with the same pair; any
    /// break in between changes at least one of the two.
    /// </summary>
    public bool IsUnbroken(LeadershipSnapshot now) =>
        now.LeadsSelf && now.Epoch == admitted.Epoch && now.Generation == admitted.Generation;

    /// <summary>What to tell a write that meets <paramref name="now"/>: who leads, where somebody else does.</summary>
    public static NotLeaderException Refusal(LeadershipSnapshot now) => now.LeadsElsewhere()
        ? new NotLeaderException { LeaderUrl = now.LeaderUrl, Epoch = now.Epoch }
        : new NotLeaderException();

    /// <summary>What the handler needs before a commit: <c>max(15 ms, T/20)</c> (docs/protocol.md, section 1).</summary>
    public static TimeSpan CommitGuard(TimeSpan lease)
    {
        var twentieth = lease / 20;
        var least = TimeSpan.FromMilliseconds(15);
        return twentieth > least ? twentieth : least;
    }
}
