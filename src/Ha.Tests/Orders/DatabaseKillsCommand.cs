using System.CommandLine;
using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Processes;

namespace Ha.Tests.Orders;

/// <summary>
/// `database-kills --times N`: PostgreSQL ends in the middle of commits, by turns killed (SIGKILL) and stopped at once (SIGQUIT),
/// under clients that send each order until it is confirmed, always with the same key.
/// </summary>
internal static class DatabaseKillsCommand
{
    public const string Usage = "database-kills [--times 200] [--clients 16]";

    private const int BetweenKills = 40;
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    public static int Run(string[] args, TextWriter console)
    {
        var times = new Option<int>("--times") { DefaultValueFactory = _ => 200 };
        var clients = new Option<int>("--clients") { DefaultValueFactory = _ => 16 };
        var command = new RootCommand("Kills PostgreSQL in the middle of commits.") { times, clients };
        command.SetAction(parsed => RunAsync(parsed.GetValue(times), parsed.GetValue(clients), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int times, int clients, TextWriter console)
    {
        if (StoreKind.Postgres.WhyNot() is { } obstacle)
        {
            console.WriteLine($"skipped: {obstacle}");
            return 0;
        }

        // Commits wait for each other for 5 ms before they reach the disk: more of them are on their way at a kill.
        await using var bed = await OrdersBed.PostgresAsync("commit_delay=5000", "commit_siblings=1");
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(new Silence(), new ClusterSettings { Mode = "proxy" }, bed.Database, OrdersBed.Sample);
        await using var load = new PatientClients(cluster, clients);
        var cutOff = 0;
        for (var kill = 0; kill < times; kill++)
        {
            await load.UntilMoreAsync(BetweenKills, _patience);
            var unknown = load.Unknown;
            await (kill % 2 == 0 ? bed.Server.KillAsync() : bed.Server.StopAsync(Posix.SigQuit));
            await bed.Server.StartAsync();
            await load.UntilMoreAsync(1, _patience);
            cutOff += load.Unknown > unknown ? 1 : 0;
        }

        await load.StopAsync();
        await using var shop = bed.Open();
        var verdicts = new Verdicts(console);
        console.WriteLine($"{load.Acknowledged.Count} orders, {times} ends of the server, of these {cutOff} in the middle of commits whose clients were told so; "
            + $"{load.Repeats} requests were sent again, {load.Unknown} of them because their outcome was unknown, {load.Replayed} orders turned out to be stored already");
        verdicts.Expect(cutOff > 0, $"{cutOff} ends of the server came in the middle of a commit");
        (await Books.ReadAsync(shop)).Judge(verdicts, load.Acknowledged);
        return verdicts.End();
    }
}
