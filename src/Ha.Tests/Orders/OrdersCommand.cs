using System.CommandLine;
using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Ha.Tests.Processes;

namespace Ha.Tests.Orders;

/// <summary>
/// `orders --kills N --rolls N`: three real processes of the sample in proxy mode with default timing, orders with keys through
/// the nodes that stay, and its books afterwards.
/// </summary>
internal static class OrdersCommand
{
    public const string Usage = "orders [--kills 5] [--rolls 1] [--store sqlite] [--rate 100]";

    private const int Products = 20;
    private const int MostAttempts = 4;

    public static int Run(string[] args, TextWriter console)
    {
        var kills = new Option<int>("--kills") { DefaultValueFactory = _ => 5 };
        var rolls = new Option<int>("--rolls") { DefaultValueFactory = _ => 1 };
        var rate = new Option<int>("--rate") { DefaultValueFactory = _ => 100 };
        var store = new Option<string>("--store") { DefaultValueFactory = _ => "sqlite" };
        store.AcceptOnlyFromAmong("sqlite", "postgres");
        var command = new RootCommand("Kills and restarts leaders of the sample under load, and reads its books.") { kills, rolls, rate, store };
        command.SetAction(parsed => RunAsync(
            parsed.GetValue(kills), parsed.GetValue(rolls), parsed.GetValue(rate), parsed.GetValue(store) is "postgres", console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int kills, int rolls, int rate, bool postgres, TextWriter console)
    {
        if (postgres && StoreKind.Postgres.WhyNot() is { } obstacle)
        {
            console.WriteLine($"skipped: {obstacle}");
            return 0;
        }

        await using var bed = postgres ? await OrdersBed.PostgresAsync() : OrdersBed.Sqlite();
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(new Silence(), new ClusterSettings { Mode = "proxy" }, bed.Database, OrdersBed.Sample);
        var (count, repeats) = (0, 0);
        async Task<NodeAnswer> PlaceAsync(Door door, string customer, string? key)
        {
            var product = 1 + (Interlocked.Increment(ref count) % Products);
            for (var attempt = 1; ; attempt++)
            {
                var answer = await OrdersBed.OrderAsync(cluster, door, customer, key, product);
                if (answer.Headers.RetryAfter?.Delta is not { } pause || attempt == MostAttempts)
                {
                    return answer;
                }

                // As any client that is told so.
                Interlocked.Increment(ref repeats);
                await Task.Delay(pause);
            }
        }

        await using var load = new OpenLoad(PlaceAsync, rate, cluster.B, cluster.C) { Keys = true };
        await new WriteTrials(cluster, load, console.WriteLine).RunAsync(kills, rolls, warmUp: TimeSpan.FromSeconds(5));
        await load.StopAsync();
        foreach (var failure in load.Failures.Take(20))
        {
            console.WriteLine($"{failure.Text} through {failure.Failure}");
        }

        await using var shop = bed.Open();
        var verdicts = new Verdicts(console);
        console.WriteLine($"{load.Results.Count} orders, {kills} kills, {rolls} rolls, {(postgres ? "PostgreSQL" : "SQLite")}; {repeats} requests were told that nothing was executed and sent again after a second");
        verdicts.Expect(!load.Failures.Any(), $"{load.Failures.Count()} orders with a key failed");
        (await Books.ReadAsync(shop)).Judge(verdicts, [.. load.Results.Where(result => result.Failure is null).Select(result => result.Text)]);
        return verdicts.End();
    }
}
