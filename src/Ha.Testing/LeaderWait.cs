using Ha.Leadership;

namespace Ha.Testing;

/// <summary>What both of this package's providers answer <see cref="ILeaderProvider.WaitForLeaderAsync"/> with.</summary>
internal static class LeaderWait
{
    public static async Task<LeadershipSnapshot> ForAsync(ILeaderProvider provider, CancellationToken cancellationToken)
    {
        while (true)
        {
            var change = provider.GetChangeToken();
            if (provider.Current is { KnowsLeader: true } current)
            {
                return current;
            }

            await change.FiredAsync(cancellationToken);
        }
    }
}
