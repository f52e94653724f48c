using Ha.Tests.Leases.Simulation;

namespace Ha.Tests.Leases;

/// <summary>What many seeds amount to.</summary>
internal sealed class LeaseSummary
{
    public long Seeds { get; set; }
    public long SimulatedMicros { get; set; }
    public LeaseCounts Counts { get; } = new();

    /// <summary>The violation with the lowest seed; null when there was none.</summary>
    public LeaseResult? Failed { get; set; }

    public override string ToString() => $"{Seeds:N0} seeds, {SimulatedMicros / 3_600_000_000.0:N1} simulated hours, {Counts}";
}

/// <summary>Runs seeds on several threads. A run itself is single-threaded, so the result does not depend on how many there are.</summary>
internal static class LeaseSeeds
{
    public static LeaseSummary Run(LeaseSimulateOptions options, TimeProvider clock, TimeSpan budget)
    {
        var summary = new LeaseSummary();
        var section = new Lock();
        ulong next = options.From;
        ulong end = options.From + options.Seeds;
        long started = clock.GetTimestamp();
        var workers = new Thread[options.Threads];
        for (int i = 0; i < workers.Length; i++)
            (workers[i] = new Thread(Work)).Start();

        foreach (var worker in workers)
            worker.Join();

        return summary;

        void Work()
        {
            while (TakeSeed(out ulong seed))
            {
                var result = LeaseRun.Run(seed, options.Nodes, options.GoesBack);
                lock (section)
                {
                    summary.Seeds++;
                    summary.SimulatedMicros += result.SimulatedMicros;
                    summary.Counts.Add(result.Counts);
                    if (result.Violation is not null && (summary.Failed is null || seed < summary.Failed.Seed))
                        (summary.Failed, end) = (result, seed);
                }
            }
        }

        bool TakeSeed(out ulong seed)
        {
            lock (section)
            {
                seed = next;
                if (next >= end || clock.GetElapsedTime(started) > budget)
                    return false;

                next++;
                return true;
            }
        }
    }
}
