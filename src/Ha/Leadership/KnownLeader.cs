namespace Ha.Leadership;

internal static class KnownLeader
{
    /// <summary>True while somebody leads: a snapshot outlives the lease it shows, and then names nobody.</summary>
    public static bool KnowsLeader(this LeadershipSnapshot snapshot) =>
        snapshot.LeaderId is not null && snapshot.LeaseRemaining != TimeSpan.Zero;
}
