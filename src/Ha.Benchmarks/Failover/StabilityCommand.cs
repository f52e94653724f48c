using System.Diagnostics;
using Ha.Benchmarks.Load;

namespace Ha.Benchmarks.Failover;

/// <summary>
/// <c>stability [minutes=N] [timing=H/T] [load[=CONNECTIONS]] [loaded=MEMBERS] [example=PATH] [env=KEY:VALUE,…]</c>: three members on
/// this machine, idle or under load with the collector at work, by default from 16 connections to each of them, which fill both cores; how
/// often leadership changed although nobody died, and what the machine did before. With <c>loaded=1</c> only the leader has work, as on a
/// machine of its own.
/// </summary>
internal static class StabilityCommand
{
    private const int Members = 3;
    private const int NotesOfAPage = 1000;

    public static async Task<int> RunAsync(string[] args)
    {
        var values = args.Select(arg => arg.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair.ElementAtOrDefault(1) ?? "");
        var minutes = values.TryGetValue("minutes", out var text) ? double.Parse(text) : 10;
        var timing = values.GetValueOrDefault("timing", "50/150").Split('/').Select(int.Parse).ToArray();
        var environment = values.GetValueOrDefault("env", "").Split(',', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split(':', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        var load = values.TryGetValue("load", out text);
        var connections = string.IsNullOrEmpty(text) ? 16 : int.Parse(text);
        var loaded = values.TryGetValue("loaded", out text) ? int.Parse(text) : Members;
        var example = values.GetValueOrDefault("example");
        var path = example is null ? "/garbage" : "/notes";

        await using var cluster = new HaCluster(Members, timing[0], timing[1], environment, example);
        await cluster.StartAsync();
        if (load)
        {
            if (example is not null)
            {
                await FillAsync(cluster);
            }

            await LoadAsync(cluster, path, loaded, connections, TimeSpan.FromSeconds(15));
        }

        await cluster.SettleAsync();
        using var stalls = new Stalls();
        var cpu = Cpu(cluster);
        var started = Stopwatch.GetTimestamp();
        var requests = 0L;
        if (load)
        {
            requests = await LoadAsync(cluster, path, loaded, connections, TimeSpan.FromMinutes(minutes));
        }
        else
        {
            await Task.Delay(TimeSpan.FromMinutes(minutes));
        }

        var took = Stopwatch.GetElapsedTime(started);
        var changes = cluster.Watch.Beginnings.Where(began => began > started).ToList();
        foreach (var change in changes)
        {
            Console.WriteLine(
                $"change after {Stopwatch.GetElapsedTime(started, change).TotalSeconds:F1} s; longest stall of the machine in the second " +
                $"before: {stalls.LongestBefore(change, TimeSpan.FromSeconds(1)):F0} ms");
        }

        Console.WriteLine("| application | settings | load | minutes | requests/s | CPU of the members, cores | answers of /_ha/leader | leadership changes | longest stall of the machine, ms | two leaders at once |");
        Console.WriteLine("|---|---|---|---:|---:|---:|---:|---:|---:|---:|");
        Console.WriteLine(
            $"| {cluster.Name} | {cluster.Settings} {string.Join(' ', environment.Select(pair => $"{pair.Key}={pair.Value}"))} | " +
            $"{(load ? $"{connections} connections to each of {loaded}, {(example is null ? "1 MB of garbage" : $"{NotesOfAPage} notes")} per request" : "idle")} | {took.TotalMinutes:F1} | " +
            $"{requests / took.TotalSeconds:F0} | {(Cpu(cluster) - cpu) / took:F2} | {cluster.Watch.Answers} | {changes.Count} | " +
            $"{stalls.LongestBefore(Stopwatch.GetTimestamp(), took):F0} | {cluster.Watch.Overlaps} |");
        return 0;
    }

    private static async Task FillAsync(HaCluster cluster)
    {
        var leader = await cluster.SettleAsync();
        for (var note = 0; note < NotesOfAPage; note++)
        {
            await cluster.WriteAsync(leader, CancellationToken.None);
        }
    }

    // To several members at once, the lowest NodeID first: a GET, so that each does its own work.
    private static async Task<long> LoadAsync(HaCluster cluster, string path, int loaded, int connections, TimeSpan time)
    {
        var runs = await Task.WhenAll(Enumerable.Range(0, loaded).Select(node =>
            Wrk.RunAsync(cluster.Url(node, path), time.TotalSeconds, bodyBytes: 0, connections)));
        return runs.Sum(run => run.Requests);
    }

    private static TimeSpan Cpu(HaCluster cluster) => cluster.Servers.Aggregate(TimeSpan.Zero, (sum, server) => sum + server.CpuTime());
}
