using System.Diagnostics;
using Ha.Benchmarks.Load;

namespace Ha.Benchmarks.Failover;

/// <summary>
/// <c>failover [trials=N] [only=NAME,…] [example=PATH]</c>: the leader is killed with SIGKILL again and again; how long until a write
/// through the survivors is acknowledged. And for Ha: SIGTERM, where each successor is a process that has just started,
/// and step-down, where none is; the longest gap between two acknowledged writes.
/// </summary>
internal static class FailoverCommand
{
    private static readonly (int Interval, int Lease)[] _timings = [(500, 1500), (100, 300), (50, 150), (20, 60), (10, 30)];

    public static async Task<int> RunAsync(string[] args)
    {
        var values = args.Select(arg => arg.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair.ElementAtOrDefault(1) ?? "");
        var trials = values.TryGetValue("trials", out var text) ? int.Parse(text) : 20;
        var only = values.GetValueOrDefault("only")?.Split(',');
        var example = values.GetValueOrDefault("example");
        ThreadPool.SetMinThreads(32, 32);
        Console.WriteLine("| system | settings | end by | trials | median ms | p95 ms | min–max ms | goal | two leaders at once |");
        Console.WriteLine("|---|---|---|---:|---:|---:|---:|---|---:|");
        foreach (var (interval, lease) in _timings)
        {
            var name = $"{interval}/{lease}";
            if (Wanted(only, name))
            {
                await using var cluster = new HaCluster(3, interval, lease, example: example);
                await cluster.StartAsync();
                await MeasureAsync(cluster, trials, "SIGKILL", KillAsync, $"median ≤ {lease - (interval / 2) + 20}, max ≤ {lease + 50}");
            }

            if (Wanted(only, name) || Wanted(only, "handoff"))
            {
                await using var cluster = new HaCluster(3, interval, lease, example: example);
                await cluster.StartAsync();
                await MeasureAsync(cluster, trials, "SIGTERM", static (ha, leader) => Probe.GapAsync(ha, leader, ha.Terminate), "median ≤ 10");
                await MeasureAsync(cluster, trials, "step-down", static (ha, leader) => Probe.GapAsync(ha, leader, ha.StepDown), "median ≤ 10", restarts: false);
            }
        }

        foreach (var (heartbeat, election) in new[] { (10, 100), (100, 1000) })
        {
            if (Wanted(only, "etcd"))
            {
                await using var etcd = new EtcdCluster(heartbeat, election);
                await etcd.StartAsync();
                await MeasureAsync(etcd, trials, "SIGKILL", KillAsync, "–");
            }
        }

        foreach (var advert in new[] { 0.1, 1 })
        {
            if (Wanted(only, "keepalived"))
            {
                await using var keepalived = new KeepalivedPair(advert);
                await keepalived.StartAsync();
                await MeasureAsync(keepalived, trials, "SIGKILL", KillAsync, "–");
            }
        }

        return 0;
    }

    private static bool Wanted(string[]? only, string name) => only is null || only.Contains(name);

    private static async Task MeasureAsync(Contender contender, int trials, string end, Func<Contender, int, Task<TimeSpan>> measure, string goal, bool restarts = true)
    {
        var times = new List<double>();
        for (var trial = 0; trial < trials; trial++)
        {
            var leader = await contender.SettleAsync();

            // Not in step with anything the members do.
            await Task.Delay(Random.Shared.Next(50, 50 + 500));
            times.Add((await measure(contender, leader)).TotalMilliseconds);
            if (restarts)
            {
                await contender.RestartAsync(leader);
            }
        }

        times.Sort();
        Console.WriteLine(
            $"| {contender.Name} | {contender.Settings} | {end} | {trials} | {Lane.Median(times):F0} | {times[(int)Math.Ceiling(0.95 * trials) - 1]:F0} | " +
            $"{times[0]:F0}–{times[^1]:F0} | {goal} | {(contender.TwoLeaders is { } two ? $"{two}" : "not watched")} |");
    }

    private static Task<TimeSpan> KillAsync(Contender contender, int leader)
    {
        var killed = Stopwatch.GetTimestamp();
        contender.Kill(leader);
        return Probe.FirstWriteAsync(contender, leader, killed);
    }
}
