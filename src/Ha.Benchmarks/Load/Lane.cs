using Ha.Benchmarks.Processes;

namespace Ha.Benchmarks.Load;

/// <summary>One of several ways to the same answer, measured in turns with the others.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Url">Where the load goes.</param>
/// <param name="Server">Whose processor time counts.</param>
internal sealed record Lane(string Name, string Url, Server Server)
{
    private const int WarmUpSeconds = 2;
    private const int MaxWarmUpRuns = 8;
    private const long WarmUpRequests = 80_000;

    public List<WrkResult> Runs { get; } = [];

    /// <summary>Microseconds of processor time per request, one number per run.</summary>
    public List<double> CpuMicros { get; } = [];

    public double Rate => Median(Runs.Select(run => run.PerSecond));

    /// <summary>Runs all lanes in turn, each round in another order, after a warm-up.</summary>
    public static async Task InterleaveAsync(IReadOnlyList<Lane> lanes, int rounds, double seconds, int bodyBytes, int? cpu)
    {
        foreach (var lane in lanes)
        {
            await WarmUpAsync(lane, bodyBytes, cpu);
        }

        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < lanes.Count; i++)
            {
                var lane = lanes[(i + round) % lanes.Count];
                var before = lane.Server.CpuTime();
                var run = await Wrk.RunAsync(lane.Url, seconds, bodyBytes, cpu: cpu);
                lane.Runs.Add(run);
                lane.CpuMicros.Add((lane.Server.CpuTime() - before).TotalMicroseconds / run.Requests);
            }
        }
    }

    // By requests, not by time: on a busy machine seconds pass before everything hot is compiled to the end.
    private static async Task WarmUpAsync(Lane lane, int bodyBytes, int? cpu)
    {
        for (long requests = 0, runs = 0; requests < WarmUpRequests && runs < MaxWarmUpRuns; runs++)
        {
            requests += (await Wrk.RunAsync(lane.Url, WarmUpSeconds, bodyBytes, cpu: cpu)).Requests;
        }
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? double.NaN : (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    /// <param name="lanes">The first is what the others are compared with.</param>
    /// <param name="neighbours">Names of others to compare with; those that did not run are left out.</param>
    /// <param name="output">Where the table goes.</param>
    public static void Print(IReadOnlyList<Lane> lanes, IReadOnlyList<string> neighbours, TextWriter output)
    {
        var others = lanes.Take(1).Concat(lanes.Skip(1).Where(lane => neighbours.Contains(lane.Name))).ToList();
        output.WriteLine($"| way | requests/s | spread | {string.Join(" | ", others.Select(other => $"of {other.Name}"))} | p50 ms | p99 ms | CPU µs/request | errors |");
        output.WriteLine($"|---|---:|---:|{string.Concat(others.Select(_ => "---:|"))}---:|---:|---:|---:|");
        foreach (var lane in lanes)
        {
            var rates = lane.Runs.Select(run => run.PerSecond).ToList();

            // Round by round, so that a slow moment of the machine hits both sides of a ratio.
            var ratios = others.Select(other => Median(lane.Runs.Zip(other.Runs, (mine, its) => mine.PerSecond / its.PerSecond)));
            output.WriteLine(
                $"| {lane.Name} | {lane.Rate:F0} | {rates.Min():F0}–{rates.Max():F0} | {string.Join(" | ", ratios.Select(ratio => $"{ratio:F3}"))} | " +
                $"{Median(lane.Runs.Select(r => r.P50Milliseconds)):F2} | {Median(lane.Runs.Select(r => r.P99Milliseconds)):F2} | " +
                $"{Median(lane.CpuMicros):F1} | {lane.Runs.Sum(r => r.Errors)} |");
        }
    }
}
