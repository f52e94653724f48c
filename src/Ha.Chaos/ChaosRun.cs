using Ha.Chaos.Checking;
using Ha.Chaos.Clients;
using Ha.Chaos.Faults;
using Ha.Chaos.History;
using Ha.Chaos.Network;
using Ha.Chaos.Nodes;
using MinimalApiApp.Cluster;
using Spectre.Console;

namespace Ha.Chaos;

/// <summary>One run from the first namespace to the report. Whatever happens, everything it made is removed.</summary>
internal static class ChaosRun
{
    public const string HistoryName = "history.jsonl";

    public static async Task<int> RunAsync(RunSettings settings)
    {
        var console = AnsiConsole.Console;
        console.Profile.Width = Math.Max(console.Profile.Width, 200);
        if (await Requirements.WhyNotAsync() is { } why)
        {
            console.WriteLine($"skipped: {why}");
            return 0;
        }

        using var signals = new StopSignals(TimeProvider.System);
        Directory.CreateDirectory(settings.Folder);
        console.WriteLine($"seed {settings.Seed}, history and logs in {settings.Folder}");
        var path = Path.Combine(settings.Folder, HistoryName);
        try
        {
            await RunHereAsync(settings, path, console, signals.Token);
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            console.WriteLine("stopped before the cluster worked");
            return 130;
        }

        var history = HistoryFile.Read(path);
        var violations = HistoryCheck.Violations(history);
        Report.Show(console, history, violations);
        if (violations.Count > 0)
        {
            console.WriteLine($"Histories and logs: {settings.Folder}");
            console.WriteLine($"The same faults again: {settings.Command}");
            return 1;
        }

        if (!settings.Keep)
        {
            Directory.Delete(settings.Folder, recursive: true);
        }

        return 0;
    }

    private static async Task RunHereAsync(RunSettings settings, string path, IAnsiConsole console, CancellationToken stop)
    {
        var clock = TimeProvider.System;
        var left = await Namespaces.RemoveLeftoversAsync();
        await SmallDisk.RemoveLeftoversAsync();
        if (left > 0)
        {
            console.WriteLine($"removed {left} namespaces of a run that was killed");
        }

        await using var history = new HistoryWriter(path, clock);
        history.Add(new RunLine(settings.Seed, settings.Nodes, settings.Postgres ? "postgres" : "sqlite", settings.Lease.TotalMilliseconds, settings.Command));
        await using var disk = await SmallDisk.MountAsync();
        await using var namespaces = await Namespaces.CreateAsync(ChaosCluster.Addresses(settings.Nodes));
        await using var database = new SqliteDatabase(disk.Path);
        using var sockets = new NamespaceSockets(Namespaces.NameOf(ChaosCluster.Client));
        var fault = "the start";
        await using var cluster = new ChaosCluster(settings, database.ConnectionString, sockets,
            (node, code) => history.Add(new ExitLine(node.Id, code, history.Now, fault)));
        await cluster.StartAsync();

        using var plain = new PlainClient(sockets, TimeSpan.FromSeconds(10));
        using var prober = new Prober(history, cluster.Nodes, sockets, clock);
        var load = new Load(history, [.. cluster.Nodes.Select(n => n.Url)], [(plain, 1)], settings.Seed, clock);
        await load.PrepareAsync(stop);

        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        end.CancelAfter(settings.Duration);
        using var stopWatching = new CancellationTokenSource();
        var watching = prober.RunAsync(stopWatching.Token);
        var calling = load.RunAsync(settings.Rate, stopWatching.Token);
        var random = new Random(settings.Seed);
        var schedule = new FaultSchedule(FaultCatalogue.Named(settings.Faults), random);
        while (!end.IsCancellationRequested)
        {
            await DisturbAsync(schedule.Next());
        }

        await stopWatching.CancelAsync();
        await Task.WhenAll(watching, calling);
        using var http = new HttpClient(sockets.NewHandler()) { Timeout = TimeSpan.FromSeconds(10) };
        console.WriteLine($"{await load.ReadAllAsync(http, CancellationToken.None)} notes read back");

        async Task DisturbAsync(IReadOnlyList<Fault> faults)
        {
            var leader = prober.Leader;
            var target = leader is not null && random.Next(2) == 0 ? leader : cluster.Nodes[random.Next(cluster.Nodes.Count)];
            fault = string.Join(" + ", faults.Select(f => f.Name));
            var (name, aim, hit) = (faults.Count == 1 ? fault : "two at once", faults.Any(f => f.HasTarget) ? target.Id : "", target == leader && faults.Any(f => f.HasTarget));
            history.Add(new FaultLine(name, FaultPhase.Begin, history.Now, aim, hit, fault));
            var context = new FaultContext(cluster, database, disk, target, random, settings.Lease, clock, end.Token);
            var began = history.Now;
            var what = string.Join("; ", await Task.WhenAll(faults.Select(f => f.RunAsync(context with { Random = new Random(random.Next()) }))));
            history.Add(new FaultLine(name, FaultPhase.Healed, history.Now, aim, hit, what));
            var recovered = await RecoverAsync(name, aim, hit);
            console.WriteLine($"{TimeSpan.FromMicroseconds(began):hh\\:mm\\:ss} {fault} {aim}{(hit ? " (leader)" : "")}: {what}; {recovered}");
            await context.HoldAsync(settings.Lease * (0.5 + 2 * random.NextDouble()));
        }

        async Task<string> RecoverAsync(string name, string aim, bool hit)
        {
            var healed = history.Now;
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
            patience.CancelAfter(TimeSpan.FromSeconds(45));
            try
            {
                while (!await load.WorksThroughAsync(cluster.Nodes.Select(n => n.Url), patience.Token))
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(100), clock, patience.Token);
                }

                history.Add(new FaultLine(name, FaultPhase.Recovered, history.Now, aim, hit));
                return $"writable through all after {(history.Now - healed) / 1000} ms";
            }
            catch (OperationCanceledException)
            {
                if (!stop.IsCancellationRequested)
                {
                    history.Add(new FaultLine(name, FaultPhase.Stuck, history.Now, aim, hit, "no write through every node within 45 s"));
                }

                return "not recovered";
            }
        }
    }
}
