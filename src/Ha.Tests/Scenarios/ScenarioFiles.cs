namespace Ha.Tests.Scenarios;

/// <summary>The scripts travel inside the test assembly, so a mutant's run reads the same ones.</summary>
internal static class ScenarioFiles
{
    private const string Prefix = "scenario:";

    public static IReadOnlyList<string> Names { get; } =
        [.. typeof(ScenarioFiles).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..])
            .Order(StringComparer.Ordinal)];

    public static string Read(string name)
    {
        using var stream = typeof(ScenarioFiles).Assembly.GetManifestResourceStream(Prefix + name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
