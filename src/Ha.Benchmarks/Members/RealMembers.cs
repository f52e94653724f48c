using System.Diagnostics;
using System.Text.RegularExpressions;
using Ha.Cli.Processes;
using Ha.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Benchmarks.Members;

/// <summary>Whole applications with Kestrel on loopback, all in this process; its processor time is theirs.</summary>
internal static partial class RealMembers
{
    public static async Task<MembersRow> MeasureAsync(int count, TimeSpan time)
    {
        var ports = FreePorts.Find(count);
        var apps = ports.Select((port, i) => Build(i, port, ports)).ToList();
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(apps.Select(app => app.StartAsync()));
        var providers = apps.Select(app => app.Services.GetRequiredService<ILeaderProvider>()).ToList();
        var converged = await AgreeAsync(providers, started);

        // Connections are made and code is compiled before it counts.
        await Task.Delay(TimeSpan.FromSeconds(15));
        var before = Take(apps, ports);
        await Task.Delay(time);
        var after = Take(apps, ports);

        var leader = apps[providers.FindIndex(provider => provider.IsLeader)];
        var others = providers.Where(provider => !provider.IsLeader).ToList();
        var gone = Stopwatch.GetTimestamp();
        await ((LuxLeader)leader.Services.GetRequiredService<ILeaderProvider>()).DisposeAsync();
        var epoch = others[0].Current.Epoch;
        var takeover = await AgreeAsync(others, gone, epoch);
        foreach (var app in apps)
        {
            await app.DisposeAsync();
        }

        var cpu = after.Cpu - before.Cpu;
        var exchanges = after.Exchanges - before.Exchanges;
        return new MembersRow(
            count, Simulated: false, cpu / time / count, (after.Bytes - before.Bytes) / time.TotalSeconds / count, exchanges / time.TotalSeconds,
            cpu.TotalMicroseconds / exchanges, converged, takeover);
    }

    private static async Task<double> AgreeAsync(List<ILeaderProvider> providers, long since, long after = 0)
    {
        while (true)
        {
            var first = providers[0].Current;
            if (first.LeaderId is not null && first.Epoch > after
                && providers.TrueForAll(p => p.Current is var now && now.Epoch == first.Epoch && now.LeaderId == first.LeaderId))
            {
                return Stopwatch.GetElapsedTime(since).TotalMilliseconds;
            }

            await Task.Delay(1);
        }
    }

    private static WebApplication Build(int index, int port, IReadOnlyList<int> ports)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrel().UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["BASE_NODE_ID"] = $"node-{index:000}",
            ["BASE_LOCAL_TARGET"] = $"http://127.0.0.1:{port}",
            ["BASE_PEERS"] = string.Join(',', ports.Select(p => $"http://127.0.0.1:{p}")),
            ["BASE_CLUSTER_SECRET"] = "a secret that only this benchmark knows",
        });
        builder.Services.AddHa();
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync("ok"));
        return app;
    }

    private static (TimeSpan Cpu, long Exchanges, long Bytes) Take(List<WebApplication> apps, IReadOnlyList<int> ports)
    {
        using var self = Process.GetCurrentProcess();
        return (self.TotalProcessorTime, apps.Sum(app => app.Services.GetRequiredService<HaMetrics>().Totals.HeartbeatsSent), BytesSent(ports));
    }

    // The kernel counts what each socket has sent; every connection has both of its ends here.
    private static long BytesSent(IReadOnlyList<int> ports)
    {
        var known = ports.ToHashSet();
        using var ss = Process.Start(new ProcessStartInfo("ss", "-tniHO state established") { RedirectStandardOutput = true })!;
        var lines = ss.StandardOutput.ReadToEnd().Split('\n');
        ss.WaitForExit();
        return lines
            .Where(line => Port().Matches(line).Take(2).Any(match => known.Contains(int.Parse(match.Groups[1].Value))))
            .Sum(line => Sent().Match(line) is { Success: true } sent ? long.Parse(sent.Groups[1].Value) : 0);
    }

    [GeneratedRegex(@"127\.0\.0\.1\]?:(\d+)")]
    private static partial Regex Port();

    [GeneratedRegex(@"bytes_sent:(\d+)")]
    private static partial Regex Sent();
}
