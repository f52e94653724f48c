namespace Ha.Tests.Mutants;

/// <summary>A small patch on one source file: the search text must occur exactly once.</summary>
internal sealed record Edit(string File, string Search, string Replacement);

/// <summary>A protocol without one of its rules.</summary>
/// <param name="Name">The rule that is missing or wrong.</param>
/// <param name="Nodes">The cluster size that shows it best; 0 lets each seed choose.</param>
internal sealed record Mutant(string Name, int Nodes, params Edit[] Edits)
{
    public const string ElectionHost = "Ha.Tests.Simulation.MutantHost";

    /// <summary>The type in the mutant that hunts; only that of the election plays scenarios, too.</summary>
    public string Host { get; init; } = ElectionHost;
}

/// <param name="Seeds">Seeds until caught; 0 when a scenario caught it, or nothing did.</param>
/// <param name="By">The invariant or the scenario that caught it; null when it survived.</param>
internal sealed record MutantVerdict(Mutant Mutant, int Seeds, string? By);
