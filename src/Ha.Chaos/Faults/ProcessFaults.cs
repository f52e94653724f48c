namespace Ha.Chaos.Faults;

/// <summary>Processes that end, stand still, or come and go.</summary>
internal static class ProcessFaults
{
    // Longer than the drain timeout: a node that is told to stop is not killed on the way.
    private static readonly TimeSpan _stopPatience = TimeSpan.FromSeconds(20);

    public static IEnumerable<Fault> All =>
    [
        new("kill", KillAsync) { OnProcesses = true },
        new("kill-all", KillAllAsync) { OnProcesses = true, HasTarget = false },
        new("stop-short", c => StopAsync(c, 0.2, 0.9)) { OnProcesses = true },
        new("stop-long", c => StopAsync(c, 1.2, 8)) { OnProcesses = true },
        new("stop-in-write", StopInWriteAsync) { OnProcesses = true },
        new("step-down", async c => $"answered {await c.Cluster.StepDownAsync(c.Target, c.Cancellation)}"),
        new("terminate", TerminateAsync) { OnProcesses = true },
        new("roll", RollAsync) { OnProcesses = true, HasTarget = false },
        new("restart-loop", RestartLoopAsync) { OnProcesses = true },
    ];

    private static async Task<string> KillAsync(FaultContext c)
    {
        var away = c.Leases(0, 6);
        await c.Target.KillAsync();
        await c.HoldAsync(away);
        c.Target.Start();
        return $"started after {away.TotalMilliseconds:0} ms";
    }

    private static async Task<string> KillAllAsync(FaultContext c)
    {
        var away = c.Leases(0, 4);
        await Task.WhenAll(c.Cluster.Nodes.Select(n => n.KillAsync()));
        await c.HoldAsync(away);
        foreach (var node in c.Shuffled())
        {
            node.Start();
            await c.HoldAsync(c.Leases(0, 0.5));
        }

        return $"started after {away.TotalMilliseconds:0} ms";
    }

    private static async Task<string> StopAsync(FaultContext c, double least, double most)
    {
        var stopped = c.Leases(least, most);
        c.Target.Process.Pause();
        await c.HoldAsync(stopped);
        c.Target.Process.Resume();
        return $"{stopped.TotalMilliseconds:0} ms";
    }

    /// <summary>
    /// Stops a node when writes have been admitted and wait for the database, and lets them go on when another leads:
    /// what the lease cannot prevent and the fence must.
    /// </summary>
    private static async Task<string> StopInWriteAsync(FaultContext c)
    {
        var (blocked, stopped) = (c.Leases(0.2, 0.8), c.Leases(1.5, 6));
        await using (await c.Database.BlockWritersAsync(CancellationToken.None))
        {
            await c.HoldAsync(blocked);
            c.Target.Process.Pause();
        }

        await c.HoldAsync(stopped);
        c.Target.Process.Resume();
        return $"{stopped.TotalMilliseconds:0} ms, after {blocked.TotalMilliseconds:0} ms without the database";
    }

    private static async Task<string> TerminateAsync(FaultContext c)
    {
        var away = c.Leases(0, 3);
        await c.Target.TerminateAsync(_stopPatience);
        var code = c.Target.Process.ExitCode;
        await c.HoldAsync(away);
        c.Target.Start();
        return $"exit code {code}, started after {away.TotalMilliseconds:0} ms";
    }

    private static async Task<string> RollAsync(FaultContext c)
    {
        var between = c.Leases(3, 8);
        foreach (var node in c.Cluster.Nodes)
        {
            await node.TerminateAsync(_stopPatience);
            node.Start();
            await c.HoldAsync(between);
        }

        return $"{between.TotalMilliseconds:0} ms between the nodes";
    }

    private static async Task<string> RestartLoopAsync(FaultContext c)
    {
        var times = c.Random.Next(2, 6);
        for (var i = 0; i < times; i++)
        {
            await c.Target.KillAsync();
            c.Target.Start();
            await c.HoldAsync(c.Leases(0.3, 4));
        }

        return $"{times} times";
    }
}
