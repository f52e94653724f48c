using System.Globalization;

namespace Ha.Tests.Simulation;

/// <summary>The command line of the simulator.</summary>
internal static class SimulateCommand
{
    public const string Usage = """
        simulate [--seeds N] [--nodes N] [--seconds S] [--from SEED] [--threads N] [--trace] [--keep-going] [--timing]
          --seeds N     how many seeds (default 1000)
          --nodes N     cluster size 1-9; without it each seed chooses
          --seconds S   simulated seconds per seed, at least (default 20)
          --from SEED   the first seed (default 1)
          --threads N   default: all cores
          --trace       print the story of each run (best with --seeds 1)
          --keep-going  list every violation instead of stopping at the first
          --timing      measure failover and handoff times instead, print a table
        Stops at the first violation and prints its seed and story. Exit code 1 when a promise was broken.
        """;

    public static int Run(string[] args, TextWriter output)
    {
        if (!TryParse(args, out var options, out string? error))
        {
            output.WriteLine(error);
            output.WriteLine(Usage);
            return 2;
        }

        if (options.Timing)
        {
            TimingStudy.Print(output);
            return 0;
        }

        return options.Trace ? Tell(options, output) : options.KeepGoing ? ListAll(options, output) : Hunt(options, output);
    }

    private static int Hunt(SimulateOptions options, TextWriter output)
    {
        var clock = TimeProvider.System;
        long started = clock.GetTimestamp();
        var bar = new ProgressBar(output, options.Seeds, clock);
        var runner = new SeedRunner(options.Nodes, options.Seconds) { Progress = bar.Show };
        var summary = runner.Run(options.From, options.Seeds, options.Threads);
        bar.Clear();
        var took = clock.GetElapsedTime(started);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{summary}; {took.TotalSeconds:N1} s, {summary.Seeds / took.TotalSeconds:N0} seeds/s"));
        if (summary.Failed is not { } failed)
            return 0;

        var replay = ChaosRun.Run(failed.Seed, options.Nodes, options.Seconds, trace: true);
        output.WriteLine(Story.Of(replay, lastLines: 150));
        output.WriteLine($"Replay: simulate --seeds 1 --from {failed.Seed} --nodes {options.Nodes} --seconds {options.Seconds} --trace");
        return 1;
    }

    private static int Tell(SimulateOptions options, TextWriter output)
    {
        bool broken = false;
        for (ulong seed = options.From; seed < options.From + options.Seeds; seed++)
        {
            var result = ChaosRun.Run(seed, options.Nodes, options.Seconds, trace: true);
            output.WriteLine(Story.Of(result, int.MaxValue));
            broken |= result.Violation is not null;
        }

        return broken ? 1 : 0;
    }

    private static int ListAll(SimulateOptions options, TextWriter output)
    {
        int broken = 0;
        var print = new Lock();
        Parallel.For((long)options.From, (long)(options.From + options.Seeds), new ParallelOptions { MaxDegreeOfParallelism = options.Threads }, seed =>
        {
            var result = ChaosRun.Run((ulong)seed, options.Nodes, options.Seconds);
            if (result.Violation is not { } violation)
                return;

            lock (print)
            {
                broken++;
                output.WriteLine($"seed {seed} at {violation.Time / 1e6:0.000} s: {violation.Invariant}: {violation.Detail} [{result.Settings}]");
            }
        });
        output.WriteLine($"{broken} of {options.Seeds} seeds broke a promise");
        return broken > 0 ? 1 : 0;
    }

    private static bool TryParse(string[] args, out SimulateOptions options, out string? error)
    {
        options = new SimulateOptions();
        error = null;
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            switch (name)
            {
                case "--trace":
                    options = options with { Trace = true };
                    continue;
                case "--timing":
                    options = options with { Timing = true };
                    continue;
                case "--keep-going":
                    options = options with { KeepGoing = true };
                    continue;
            }

            if (i + 1 >= args.Length || !ulong.TryParse(args[++i], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
            {
                error = $"{name} needs a number.";
                return false;
            }

            switch (name)
            {
                case "--seeds":
                    options = options with { Seeds = value };
                    break;
                case "--from":
                    options = options with { From = value };
                    break;
                case "--nodes" when value <= 9:
                    options = options with { Nodes = (int)value };
                    break;
                case "--seconds" when value is >= 1 and <= 86_400:
                    options = options with { Seconds = (int)value };
                    break;
                case "--threads" when value is >= 1 and <= 256:
                    options = options with { Threads = (int)value };
                    break;
                default:
                    error = $"{name} {value} is not understood.";
                    return false;
            }
        }

        return true;
    }
}

internal sealed record SimulateOptions
{
    public ulong Seeds { get; init; } = 1000;
    public ulong From { get; init; } = 1;
    public int Nodes { get; init; }
    public int Seconds { get; init; } = 20;
    public int Threads { get; init; } = Environment.ProcessorCount;
    public bool Trace { get; init; }
    public bool Timing { get; init; }
    public bool KeepGoing { get; init; }
}
