namespace Ha.Tests.Simulation;

/// <summary>What many seeds amount to.</summary>
internal sealed class SeedSummary
{
    public long Seeds { get; set; }
    public long SimulatedMicros { get; set; }
    public WorldCounts Counts { get; } = new();

    /// <summary>The violation with the lowest seed; null when there was none.</summary>
    public RunResult? Failed { get; set; }

    public override string ToString() =>
        $"{Seeds:N0} seeds, {SimulatedMicros / 3_600_000_000.0:N1} simulated hours, {Counts.Events:N0} events, "
        + $"{Counts.Faults:N0} faults, {Counts.LeaderChanges:N0} leader changes, {Counts.Handoffs:N0} handoffs, "
        + $"{Counts.Writes:N0} writes, {Counts.CheckedAway:N0} stopped by their check, {Counts.FencedAway:N0} by the fence";
}

/// <summary>Runs seeds on all cores. A run itself is single-threaded, so the result does not depend on how many there are.</summary>
internal sealed class SeedRunner(int nodes, int seconds)
{
    private readonly Lock _lock = new();
    private readonly SeedSummary _summary = new();
    private ulong _next;
    private ulong _end;

    /// <summary>Called under a lock after every seed.</summary>
    public Action<SeedSummary>? Progress { get; init; }

    /// <summary>True to stop before the next seed, for instance because a time budget is used up.</summary>
    public Func<bool>? Enough { get; init; }

    public SeedSummary Run(ulong from, ulong count, int threads)
    {
        (_next, _end) = (from, from + count);
        if (threads <= 1)
        {
            Work();
        }
        else
        {
            var workers = new Thread[threads];
            for (int i = 0; i < threads; i++)
                (workers[i] = new Thread(Work)).Start();

            foreach (var worker in workers)
                worker.Join();
        }

        return _summary;
    }

    private void Work()
    {
        while (TakeSeed(out ulong seed))
        {
            var result = ChaosRun.Run(seed, nodes, seconds);
            lock (_lock)
            {
                _summary.Seeds++;
                _summary.SimulatedMicros += result.SimulatedMicros;
                _summary.Counts.Add(result.Counts);
                if (result.Violation is not null && (_summary.Failed is null || seed < _summary.Failed.Seed))
                {
                    _summary.Failed = result;
                    _end = seed;
                }

                Progress?.Invoke(_summary);
            }
        }
    }

    private bool TakeSeed(out ulong seed)
    {
        lock (_lock)
        {
            seed = _next;
            if (_next >= _end || Enough?.Invoke() == true)
                return false;

            _next++;
            return true;
        }
    }
}
