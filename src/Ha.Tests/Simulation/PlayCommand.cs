namespace Ha.Tests.Simulation;

/// <summary><c>play [NAME …]</c>: tells scenarios as stories.</summary>
internal static class PlayCommand
{
    public static int Run(string[] names, IReadOnlyList<string> all, Func<string, string> read, TextWriter output)
    {
        int broken = 0;
        foreach (string name in all)
        {
            if (names.Length > 0 && !Array.Exists(names, wanted => name.StartsWith(wanted, StringComparison.OrdinalIgnoreCase)))
                continue;

            var result = Scenario.Play(read(name));
            if (names.Length > 0)
                output.WriteLine(result.Trace);

            output.WriteLine(result.Error is null ? $"ok      {name}" : $"BROKEN  {name}: {result.Error}");
            broken += result.Error is null ? 0 : 1;
        }

        return broken == 0 ? 0 : 1;
    }
}
