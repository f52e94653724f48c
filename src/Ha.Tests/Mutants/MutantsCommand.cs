namespace Ha.Tests.Mutants;

/// <summary><c>mutants [NAME …]</c>: runs the gate, or the named mutants only.</summary>
internal static class MutantsCommand
{
    public static int Run(string[] names, TextWriter output)
    {
        var chosen = names.Length == 0
            ? MutantList.All
            : [.. MutantList.All.Where(mutant => names.Contains(mutant.Name, StringComparer.OrdinalIgnoreCase))];
        return new MutationGate(output).Run(chosen, Environment.ProcessorCount) ? 0 : 1;
    }
}
