using System.Globalization;
using System.Net.Http.Json;
using Ha.Benchmarks.Processes;
using Ha.Cli.Processes;

namespace Ha.Benchmarks.Failover;

/// <summary><c>memory [minutes=N]</c>: an idle application without the plugin, with its no-op, and as one of three members.</summary>
internal static class MemoryCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        var minutes = args.Length > 0 ? double.Parse(args[0].Split('=')[^1]) : 3;
        var ports = FreePorts.Find(2);
        await using var bare = Server.StartSelf("bare", ["serve", "bare", $"{ports[0]}"]);
        await using var inactive = Server.StartSelf("inactive", ["serve", "ha", $"{ports[1]}"]);
        await using var cluster = new HaCluster(3, 500, 1500);
        await cluster.StartAsync();

        // Its own questions would be counted as the members' allocations.
        await cluster.Watch.StopAsync();
        var leader = 0;
        (string Name, string Url)[] lanes =
        [
            ("without the plugin", HaCluster.Url(ports[0])), ("no-op", HaCluster.Url(ports[1])),
            ("leader of 3, 500/1500", cluster.Url(leader, "")), ("follower of 3, 500/1500", cluster.Url(1, "")),
        ];
        using var client = new HttpClient();
        foreach (var lane in lanes)
        {
            await AskAsync(client, lane.Url);
        }

        await Task.Delay(TimeSpan.FromSeconds(20));
        var before = new List<MemoryReport>();
        foreach (var lane in lanes)
        {
            before.Add(await AskAsync(client, lane.Url));
        }

        await Task.Delay(TimeSpan.FromMinutes(minutes));
        Console.WriteLine("| application | working set, MB | live heap, MB | allocated per hour, MB (extrapolated) | threads |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        for (var i = 0; i < lanes.Length; i++)
        {
            var now = await AskAsync(client, lanes[i].Url);
            var perHour = (now.Allocated - before[i].Allocated) * 60 / minutes;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {lanes[i].Name} | {now.WorkingSet / 1e6:F1} | {now.Heap / 1e6:F2} | {perHour / 1e6:F1} | {now.Threads} |"));
        }

        return 0;
    }

    private static async Task<MemoryReport> AskAsync(HttpClient client, string url) =>
        await client.GetFromJsonAsync<MemoryReport>(new Uri(url + "/memory")) ?? throw new InvalidOperationException("no report");
}
