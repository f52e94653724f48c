using Ha.Chaos.Nodes;

namespace Ha.Chaos.Faults;

/// <summary>A database that is busy, full, away, or out of reach.</summary>
internal static class DatabaseFaults
{
    public static IEnumerable<Fault> All =>
    [
        new("database-busy", BusyAsync) { HasTarget = false },
        new("disk-full", FullAsync) { HasTarget = false },
        new("server-crash", CrashAsync) { HasTarget = false, WhyNot = WithoutServer },
        new("server-cut-off", CutOffAsync) { OnNetwork = true, WhyNot = WithoutServer },
    ];

    private static string? WithoutServer(Machine machine) => machine.Postgres ? null : "SQLite has no server";

    private static async Task<string> BusyAsync(FaultContext c)
    {
        var (times, each) = (c.Random.Next(1, 5), c.Leases(0.2, 5));
        for (var i = 0; i < times && !c.Cancellation.IsCancellationRequested; i++)
        {
            await using (await c.Database.BlockWritersAsync(CancellationToken.None))
            {
                await c.HoldAsync(each);
            }

            await c.HoldAsync(c.Leases(0.1, 0.5));
        }

        return $"{times} times {each.TotalMilliseconds:0} ms";
    }

    private static async Task<string> FullAsync(FaultContext c)
    {
        var time = c.Leases(2, 10);
        try
        {
            await c.Database.FlushAsync(CancellationToken.None);
            var bytes = c.Disk.Fill();
            await c.HoldAsync(time);
            return $"{time.TotalMilliseconds:0} ms, after {bytes >> 20} MiB";
        }
        finally
        {
            c.Disk.Free();
            await c.Database.RepairAsync();
        }
    }

    private static async Task<string> CrashAsync(FaultContext c)
    {
        var away = c.Leases(0, 5);
        await c.Database.RestartAsync(away, c.Cancellation);
        return $"away for {away.TotalMilliseconds:0} ms";
    }

    // The node still leads, and cannot write.
    private static Task<string> CutOffAsync(FaultContext c) => c.CutTargetOffAsync(ChaosCluster.Database, c.Leases(1, 8));
}
