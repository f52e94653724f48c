using System.CommandLine;
using System.Globalization;

namespace Ha.Tests.Pipelines;

/// <summary>`pipelines`: the long run of what <see cref="PipelineTests"/> does in some seconds.</summary>
internal static class PipelinesCommand
{
    public const string Usage = "pipelines [--seeds 100000] [--from N] [--seed S ...] [--show 3]";

    public static int Run(string[] args, TextWriter console)
    {
        var seeds = new Option<int>("--seeds") { DefaultValueFactory = _ => 100_000, Description = "How many pipelines." };
        var from = new Option<int>("--from")
        {
            DefaultValueFactory = _ => Random.Shared.Next(1_000_000_000),
            Description = "The first seed; without it any. Printed, so that a run can be repeated.",
        };
        var only = new Option<int[]>("--seed")
        {
            AllowMultipleArgumentsPerToken = true,
            Description = "Runs exactly these, one after the other on the same nodes, and tells what each did.",
        };
        var show = new Option<int>("--show") { DefaultValueFactory = _ => 3, Description = "How many violations of a kind to tell in full." };
        var command = new RootCommand("Random pipelines against the promises of a forwarded write. Exit code 1 when one was broken.") { seeds, from, only, show };
        command.SetAction(parsed => parsed.GetValue(only) is { Length: > 0 } chosen
            ? TellAsync(chosen, console)
            : HuntAsync(parsed.GetValue(seeds), parsed.GetValue(from), parsed.GetValue(show), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> HuntAsync(int seeds, int from, int show, TextWriter console)
    {
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"pipelines --seeds {seeds} --from {from}"));
        var report = new PipelineReport(console, seeds, show);
        var runs = new PipelineRuns { Finished = report.Add };
        await runs.RunAsync([.. Enumerable.Range(from, seeds)]);
        return report.Close();
    }

    private static async Task<int> TellAsync(int[] seeds, TextWriter console)
    {
        var report = new PipelineReport(console, seeds.Length, show: 0);
        var runs = new PipelineRuns
        {
            Workers = 1,
            Finished = result =>
            {
                console.WriteLine(PipelineReport.Tell(result));
                report.Add(result);
            },
        };
        await runs.RunAsync(seeds);
        return report.Close();
    }
}
