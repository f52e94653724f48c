using Ha.Chaos.Clients;
using Ha.Chaos.History;
using Ha.Chaos.Network;
using Ha.Chaos.Nodes;
using Ha.Cli.Processes;
using Spectre.Console;

namespace Ha.Chaos;

/// <summary>One run from the first namespace to the report. Whatever happens, everything it made is removed.</summary>
internal static class ChaosRun
{
    private const int StorePort = 7000;
    private static readonly TimeSpan _clientPatience = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(RunSettings settings)
    {
        var console = AnsiConsole.Console;
        var left = OperatingSystem.IsLinux() ? await Namespaces.RemoveLeftoversAsync() : 0;
        await SmallDisk.RemoveLeftoversAsync();
        if (left > 0)
        {
            console.WriteLine($"removed {left} namespaces of a run that was killed");
        }

        var (machine, whyNot) = await Requirements.ProbeAsync(settings);
        if (machine is null)
        {
            console.WriteLine($"skipped: {whyNot}");
            return 0;
        }

        using var signals = new StopSignals(TimeProvider.System);
        Directory.CreateDirectory(settings.Folder);
        console.WriteLine($"seed {settings.Seed}, history and logs in {settings.Folder}");
        var path = Path.Combine(settings.Folder, "history.jsonl");
        try
        {
            await RunAsync(settings, machine, path, console, signals.Token);
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            console.WriteLine("stopped before the cluster worked");
            return 130;
        }

        return Judge(settings, path, console);
    }

    private static async Task RunAsync(RunSettings settings, Machine machine, string path, IAnsiConsole console, CancellationToken stop)
    {
        var clock = TimeProvider.System;
        await using var history = new HistoryWriter(path, clock);
        history.Add(new RunLine(settings.Seed, settings.Nodes, settings.Postgres ? "postgres" : "sqlite", settings.Lease.TotalMilliseconds, settings.Command,
            settings.Store == StoreKind.Peers ? null : settings.Store.Word()));

        // Step 1: the network, the servers, the nodes.
        await using var disk = await SmallDisk.MountAsync(ChaosCluster.Database);
        await using var namespaces = await Namespaces.CreateAsync(ChaosCluster.Addresses(settings.Nodes));
        await using var database = await StartDatabaseAsync(settings, disk);
        await using var storeDisk = settings.Store == StoreKind.Peers ? null : await SmallDisk.MountAsync(ChaosCluster.Store);
        var place = new Place(Namespaces.NameOf(ChaosCluster.Store), ChaosCluster.Addresses(0)[ChaosCluster.Store], StorePort);
        await using var store = storeDisk is null ? null : await settings.Store.StartAsync(storeDisk.Path, place, Path.Combine(settings.Folder, "store.log"));
        using var sockets = new NamespaceSockets(Namespaces.NameOf(ChaosCluster.Client));
        Disturber? disturber = null;
        await using var cluster = new ChaosCluster(settings, database.ConnectionString, store?.LeaseStore(place.Address, place.Port), sockets,
            (node, code) => history.Add(new ExitLine(node.Id, code, history.Now, disturber?.Now ?? "the start")));
        cluster.Start();

        // Step 2: the clients.
        string[] urls = [.. cluster.Nodes.Select(n => n.Url)];
        using var plain = new PlainClient(sockets, _clientPatience);
        using var routing = new RoutingClient(sockets, urls, _clientPatience);
        var curl = new CurlClient(Namespaces.NameOf(ChaosCluster.Client), _clientPatience);
        using var prober = new Prober(history, [.. cluster.Nodes.Select(n => (n.Id, n.Url))], sockets.NewHandler(), clock);
        var load = new Load(history, urls, [(plain, 60), (routing, 39), (curl, 1)], settings.Seed, clock);
        await load.PrepareAsync(stop);

        // Step 3: the faults, while the clients call.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        end.CancelAfter(settings.Duration);
        using var enough = new CancellationTokenSource();
        var clients = Task.WhenAll(prober.RunAsync(enough.Token), load.RunAsync(settings.Rate, enough.Token));
        disturber = new Disturber(settings, machine, cluster, database, disk, store, storeDisk, prober, load, history, console.WriteLine, clock);
        try
        {
            await disturber.RunAsync(end.Token, stop);
        }
        finally
        {
            await enough.CancelAsync();
            await clients;
        }

        // Step 4: what the database holds now.
        using var http = new HttpClient(sockets.NewHandler()) { Timeout = _clientPatience };
        await load.ReadAllAsync(http, CancellationToken.None);
    }

    private static async Task<IDatabase> StartDatabaseAsync(RunSettings settings, SmallDisk disk) => settings.Postgres
        ? await PostgresDatabase.StartAsync(disk.Path, ChaosCluster.Addresses(0)[ChaosCluster.Database], Path.Combine(settings.Folder, "postgres.log"))
        : new SqliteDatabase(disk.Path);

    private static int Judge(RunSettings settings, string path, IAnsiConsole console)
    {
        if (Report.Show(console, [HistoryFile.Read(path)]) > 0)
        {
            console.WriteLine($"history and logs: {settings.Folder}");
            console.WriteLine($"the same faults again: {settings.Command}");
            console.WriteLine($"the same check again: dotnet run -c Release --project src/Ha.Chaos -- check {path}");
            return 1;
        }

        if (!settings.Keep)
        {
            Directory.Delete(settings.Folder, recursive: true);
        }

        return 0;
    }
}
