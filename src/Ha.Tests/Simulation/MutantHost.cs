namespace Ha.Tests.Simulation;

/// <summary>What the mutation gate calls inside a compiled mutant. Strings only: types of two assemblies do not mix.</summary>
public static class MutantHost
{
    /// <summary>The first broken invariant and how many seeds it took, or null.</summary>
    public static (int Seeds, string Invariant)? HuntWithSeeds(int nodes, ulong from, int seeds, int seconds)
    {
        for (int i = 0; i < seeds; i++)
        {
            string? broken = Broken(() => ChaosRun.Run(from + (ulong)i, nodes, seconds).Violation?.Invariant);
            if (broken is not null)
                return (i + 1, broken);
        }

        return null;
    }

    /// <summary>Why the scenario does not go as told, or null.</summary>
    public static string? HuntWithScenario(string text) => Broken(() => Scenario.Play(text).Error);

    /// <summary>A mutant that throws gives itself away, too.</summary>
    private static string? Broken(Func<string?> run)
    {
        try
        {
            return run();
        }
        catch (Exception e) when (e is InvalidOperationException or NullReferenceException or IndexOutOfRangeException or OverflowException)
        {
            return $"throws {e.GetType().Name}";
        }
    }
}
