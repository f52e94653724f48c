using System.Globalization;
using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>How long a cluster of three is without a leader: after a crash, and during a handoff.</summary>
internal static class TimingStudy
{
    public const int Runs = 2_000;
    public static readonly (int Interval, int Lease)[] Settings = [(500, 1500), (100, 300), (40, 120)];

    public static void Print(TextWriter output)
    {
        output.WriteLine($"3 nodes, one-way delay 0.1-0.5 ms, {Runs} runs each, milliseconds of simulated time");
        output.WriteLine($"{"h/T",-10} {"what",-10} {"min",9} {"mean",9} {"p50",9} {"p99",9} {"max",9}");
        foreach (var (interval, lease) in Settings)
        {
            Row(output, $"{interval}/{lease}", "failover", Measure(interval, lease, Failover));
            Row(output, $"{interval}/{lease}", "handoff", Measure(interval, lease, Handoff));
        }
    }

    /// <summary>Real microseconds from the event to the next valid lease, sorted.</summary>
    public static long[] Measure(int interval, int lease, Func<World, long> experiment, int runs = Runs)
    {
        long[] times = new long[runs];
        for (int run = 0; run < runs; run++)
        {
            var world = new World(Three((ulong)run + 1, interval * 1000L, lease * 1000L));
            Array.ForEach(world.Nodes, node => node.Start());
            WaitForLeader(world, 4 * lease * 1000L);
            world.RunUntil(world.Now + 2 * lease * 1000L + world.Random.Between(0, interval * 1000L));
            times[run] = experiment(world);
        }

        Array.Sort(times);
        return times;
    }

    public static long Failover(World world)
    {
        world.Nodes[world.Leader()].Crash("measured");
        return WaitForLeader(world, 100 * world.Settings.Nodes[0].LeaseMicros);
    }

    public static long Handoff(World world)
    {
        long start = world.Now;
        int old = world.Leader();
        world.Nodes[old].StepDown(null, HandoffReason.StepDown);
        while (world.Leader() is var now && (now < 0 || now == old))
        {
            if (!world.StepBefore(start + 100 * world.Settings.Nodes[0].LeaseMicros))
                throw new InvalidOperationException(world.Violation?.Detail ?? "no leader");
        }

        return world.Now - start;
    }

    private static long WaitForLeader(World world, long limit)
    {
        long start = world.Now;
        if (!world.RunUntilSomebodyLeads(limit))
            throw new InvalidOperationException(world.Violation?.Detail ?? "no leader");

        return world.Now - start;
    }

    private static WorldSettings Three(ulong seed, long interval, long lease)
    {
        string[] targets = ["http://a", "http://b", "http://c"];
        var random = new SimRandom(seed);
        return new WorldSettings
        {
            Seed = seed,
            DelayMinMicros = 100,
            DelayMaxMicros = 500,
            RefusePermille = 1000,
            Nodes =
            [
                .. targets.Select((target, i) => new NodeSetup
                {
                    Id = ((char)('A' + i)).ToString(),
                    Target = target,
                    Members = targets,
                    IntervalMicros = interval,
                    LeaseMicros = lease,
                    Majority = true,
                    Preempt = PreemptMode.Never,
                    DrainMicros = lease,
                    RatePpm = (int)random.Between(-100, 100),
                    ReadyAfterMicros = random.Between(0, interval),
                }),
            ],
        };
    }

    private static void Row(TextWriter output, string setting, string what, long[] sorted) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{setting,-10} {what,-10} {sorted[0] / 1000.0,9:0.0} {sorted.Average() / 1000.0,9:0.0} {sorted[sorted.Length / 2] / 1000.0,9:0.0} {sorted[sorted.Length * 99 / 100] / 1000.0,9:0.0} {sorted[^1] / 1000.0,9:0.0}"));
}
