namespace Ha.Tests.Mutants;

/// <summary><c>mutants [NAME …]</c>: runs the gate, or the named mutants only.</summary>
internal static class MutantsCommand
{
    public static int Run(string[] names, TextWriter output)
    {
        IReadOnlyList<Mutant> all = [.. MutantList.All, .. LeaseMutantList.All];
        var chosen = names.Length == 0 ? all : [.. all.Where(mutant => names.Contains(mutant.Name, StringComparer.OrdinalIgnoreCase))];
        return new MutationGate(output).Run(chosen, Environment.ProcessorCount) ? 0 : 1;
    }
}
