using System.Globalization;
using Ha.Tests.Leases.Simulation;

namespace Ha.Tests.Leases;

/// <summary><c>lease-simulate</c>: leading by a lease in a store, seed by seed, on all cores.</summary>
internal static class LeaseSimulateCommand
{
    public const string Usage = """
        lease-simulate [--seeds N] [--from SEED] [--nodes N] [--threads N] [--go-back] [--trace]
          --seeds N    how many seeds (default 1000)
          --from SEED  the first seed (default 1)
          --nodes N    1-5; without it each seed chooses
          --threads N  default: all cores
          --go-back    the store loses its last writings now and then: events with two leaders are counted
          --trace      print the story of each run (best with --seeds 1)
        Stops at the first violation and prints its seed and the end of its story. Exit code 1 when a promise was broken.
        """;

    private const int StoryLines = 120;

    public static int Run(string[] args, TextWriter output)
    {
        if (!TryParse(args, out var options))
        {
            output.WriteLine(Usage);
            return 2;
        }

        var clock = TimeProvider.System;
        long started = clock.GetTimestamp();
        var summary = LeaseSeeds.Run(options, clock, budget: TimeSpan.MaxValue);
        double seconds = clock.GetElapsedTime(started).TotalSeconds;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{summary}; {seconds:N1} s, {summary.Seeds / seconds:N0} seeds/s, {summary.Counts.Events / seconds:N0} events/s"));
        if (options.Trace)
        {
            for (ulong seed = options.From; seed < options.From + options.Seeds; seed++)
                output.WriteLine(Story(LeaseRun.Run(seed, options.Nodes, options.GoesBack, trace: true), int.MaxValue));
        }

        if (summary.Failed is not { } failed)
            return 0;

        output.WriteLine(Story(LeaseRun.Run(failed.Seed, options.Nodes, options.GoesBack, trace: true), StoryLines));
        return 1;
    }

    /// <summary>The last lines of what happened, and what was broken.</summary>
    public static string Story(LeaseResult result, int lines) =>
        $"seed {result.Seed} [{result.Settings}]\n{string.Join('\n', result.Trace.Split('\n').TakeLast(lines))}"
        + (result.Violation is { } broken ? $"seed {result.Seed}: {broken.Invariant}: {broken.Detail}" : "all promises held");

    private static bool TryParse(string[] args, out LeaseSimulateOptions options)
    {
        options = new LeaseSimulateOptions();
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            if (name is "--trace" or "--go-back")
            {
                options = name == "--trace" ? options with { Trace = true } : options with { GoesBack = true };
                continue;
            }

            if (i + 1 >= args.Length || !ulong.TryParse(args[++i], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
                return false;

            switch (name)
            {
                case "--seeds":
                    options = options with { Seeds = value };
                    break;
                case "--from":
                    options = options with { From = value };
                    break;
                case "--nodes" when value is >= 1 and <= 5:
                    options = options with { Nodes = (int)value };
                    break;
                case "--threads" when value is >= 1 and <= 256:
                    options = options with { Threads = (int)value };
                    break;
                default:
                    return false;
            }
        }

        return true;
    }
}

internal sealed record LeaseSimulateOptions
{
    public ulong Seeds { get; init; } = 1000;
    public ulong From { get; init; } = 1;
    public int Nodes { get; init; }
    public int Threads { get; init; } = Environment.ProcessorCount;
    public bool GoesBack { get; init; }
    public bool Trace { get; init; }
}
