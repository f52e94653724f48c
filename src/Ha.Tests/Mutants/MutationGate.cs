using System.Globalization;
using System.Reflection;
using Ha.Tests.Scenarios;

namespace Ha.Tests.Mutants;

/// <summary>
/// Proves that the simulator sees: without any one rule of the protocol, seeds or scenarios must fail. A rule whose
/// absence nobody notices is either needless or untested.
/// </summary>
internal sealed class MutationGate(TextWriter output)
{
    public const int SeedsPerMutant = 400;
    private const int Seconds = 20;
    private readonly MutantCompiler _compiler = new();

    public bool Run(IReadOnlyList<Mutant> mutants, int threads)
    {
        var verdicts = new MutantVerdict[mutants.Count];
        Parallel.For(0, mutants.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i => verdicts[i] = Judge(mutants[i]));
        output.WriteLine($"{"mutant",-46} {"seeds",6}  caught by");
        foreach (var verdict in verdicts)
        {
            string seeds = verdict.Seeds > 0 ? verdict.Seeds.ToString(CultureInfo.InvariantCulture) : "-";
            output.WriteLine($"{verdict.Mutant.Name,-46} {seeds,6}  {verdict.By ?? "SURVIVED"}");
        }

        int caught = verdicts.Count(verdict => verdict.By is not null && !verdict.By.StartsWith("ERROR", StringComparison.Ordinal));
        output.WriteLine($"{caught} passed, {mutants.Count - caught} failed");
        return caught == mutants.Count;
    }

    public MutantVerdict Judge(Mutant mutant, int seeds = SeedsPerMutant)
    {
        if (_compiler.Compile(mutant, out string? error) is not { } assembly)
            return new MutantVerdict(mutant, 0, $"ERROR: {error}");

        var host = assembly.GetType(mutant.Host, throwOnError: true)!;
        var bySeeds = Method(host, "HuntWithSeeds").CreateDelegate<Func<int, ulong, int, int, (int, string)?>>();
        if (bySeeds(mutant.Nodes, 1, seeds, Seconds) is { } found)
            return new MutantVerdict(mutant, found.Item1, found.Item2);

        if (mutant.Host != Mutant.ElectionHost)
            return new MutantVerdict(mutant, 0, null);

        var byScenario = Method(host, "HuntWithScenario").CreateDelegate<Func<string, string?>>();
        foreach (string name in ScenarioFiles.Names)
        {
            if (byScenario(ScenarioFiles.Read(name)) is { } why)
                return new MutantVerdict(mutant, 0, $"{name}, {why}");
        }

        return new MutantVerdict(mutant, 0, null);
    }

    private static MethodInfo Method(Type host, string name) => host.GetMethod(name, BindingFlags.Public | BindingFlags.Static)!;
}
