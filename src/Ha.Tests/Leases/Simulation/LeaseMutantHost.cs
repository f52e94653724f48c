namespace Ha.Tests.Leases.Simulation;

/// <summary>What the mutation gate calls inside a compiled mutant. Strings only: types of two assemblies do not mix.</summary>
public static class LeaseMutantHost
{
    /// <summary>The first broken invariant and how many seeds it took, or null.</summary>
    public static (int Seeds, string Invariant)? HuntWithSeeds(int nodes, ulong from, int seeds, int seconds)
    {
        for (int i = 0; i < seeds; i++)
        {
            if (Broken(from + (ulong)i, nodes) is { } broken)
                return (i + 1, broken);
        }

        return null;
    }

    /// <summary>A mutant that throws gives itself away, too.</summary>
    private static string? Broken(ulong seed, int nodes)
    {
        try
        {
            return LeaseRun.Run(seed, nodes).Violation?.Invariant;
        }
        catch (Exception e) when (e is InvalidOperationException or NullReferenceException or IndexOutOfRangeException or OverflowException)
        {
            return $"throws {e.GetType().Name}";
        }
    }
}
