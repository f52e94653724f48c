using System.CommandLine;
using System.Globalization;

namespace Ha.Tests.Oracle;

/// <summary>`oracle`: as many random combinations as wanted beside YARP; <see cref="OracleTests"/> takes some hundred.</summary>
internal static class OracleCommand
{
    public const string Usage = "oracle [--cases 5000] [--from N]";

    public static int Run(string[] args, TextWriter console)
    {
        var cases = new Option<int>("--cases") { DefaultValueFactory = _ => 5000, Description = "How many combinations." };
        var from = new Option<int>("--from")
        {
            DefaultValueFactory = _ => Random.Shared.Next(1_000_000_000),
            Description = "The first seed; without it any. Printed, so that a run can be repeated.",
        };
        var command = new RootCommand("The same random requests through our follower and through YARP. Exit code 1 when something differs that is not listed.")
        {
            cases, from,
        };
        command.SetAction(parsed => CompareAsync(parsed.GetValue(cases), parsed.GetValue(from), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> CompareAsync(int cases, int from, TextWriter console)
    {
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"oracle --cases {cases} --from {from}"));
        var run = new OracleRun();
        await run.RunAsync(Enumerable.Range(from, cases).Select(Questions.Random));
        foreach (var divergence in run.Unexplained)
        {
            console.WriteLine(divergence);
        }

        console.WriteLine($"{run.Exchanges} exchanges; listed differences met: {string.Join("; ", run.Met.Keys.Order(StringComparer.Ordinal))}");
        return run.Unexplained.Count == 0 ? 0 : 1;
    }
}
