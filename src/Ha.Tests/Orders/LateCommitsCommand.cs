using System.CommandLine;
using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Npgsql;

namespace Ha.Tests.Orders;

/// <summary>
/// `late-commits --rounds N [--without-fence]`: the leader is stopped (SIGSTOP) between its check and its commit, goes on after
/// the next leader has written, and the server's commit timestamps say who came when.
/// </summary>
internal static class LateCommitsCommand
{
    public const string Usage = "late-commits [--rounds 50] [--without-fence]";

    private const int StoppedProduct = 1;
    private const int OtherProduct = 2;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    public static int Run(string[] args, TextWriter console)
    {
        var rounds = new Option<int>("--rounds") { DefaultValueFactory = _ => 50 };
        var without = new Option<bool>("--without-fence") { Description = "Shows what the check is for." };
        var command = new RootCommand("Stops leaders between their check and their commit.") { rounds, without };
        command.SetAction(parsed => RunAsync(parsed.GetValue(rounds), !parsed.GetValue(without), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int rounds, bool fenced, TextWriter console)
    {
        if (StoreKind.Postgres.WhyNot() is { } obstacle)
        {
            console.WriteLine($"skipped: {obstacle}");
            return 0;
        }

        await using var bed = await OrdersBed.PostgresAsync("fsync=off");
        var app = App.Assembly(typeof(OrdersNode).Assembly.Location, [OrdersNode.Verb, bed.Folder, .. fenced ? Array.Empty<string>() : [OrdersNode.WithoutFence]]);
        await using var cluster = await ExampleCluster.StartAsync(
            new Silence(), new ClusterSettings { Mode = "proxy", Interval = ExampleCluster.QuickInterval }, bed.Database, OrdersBed.Of(app));
        var answers = new List<Answer>();
        for (var round = 0; round < rounds; round++)
        {
            answers.Add(await RoundAsync(cluster, bed.Folder, round, console));
        }

        var (stopped, late, lateShipments) = await CountAsync(bed.Database);
        console.WriteLine($"{rounds} rounds, {(fenced ? "with the fence" : "without the fence's check")}: "
            + $"{string.Join(", ", answers.CountBy(answer => answer.ToString(), StringComparer.Ordinal).Select(kind => $"{kind.Value} {kind.Key}"))}; {stopped} of the stopped orders are stored");
        var verdicts = new Verdicts(console);
        verdicts.Expect(fenced == (late == 0), $"{late} orders of an older epoch were committed after one of a newer epoch");
        verdicts.Expect(lateShipments == 0, $"{lateShipments} shipments of an older epoch were committed after one of a newer epoch");
        var confirmed = answers.Count(answer => answer is { Status: 201, ByNext: false });
        verdicts.Expect(confirmed == 0, $"{confirmed} orders were confirmed by a leader that had been replaced");
        return verdicts.End();
    }

    /// <returns>What the stopped order's client was told in the end.</returns>
    private static async Task<Answer> RoundAsync(ExampleCluster cluster, string folder, int round, TextWriter console)
    {
        var leader = await cluster.WaitForLeaderAsync(within: _patience);
        var (node, customer) = (cluster.Node(leader), $"{StopAtCommit.Prefix}{round}");
        var stopped = OrdersBed.OrderAsync(cluster, node, customer, customer, StoppedProduct);
        await Eventually.True(() =>
        {
            Assert.False(stopped.IsCompleted, stopped.IsCompletedSuccessfully ? stopped.Result.Body : $"{stopped.Exception}");
            return StopAtCommit.Waits(folder, customer);
        }, _patience, $"{customer} is at its commit");
        node.Pause();

        var began = TimeProvider.System.GetTimestamp();
        var next = await cluster.WaitForLeaderAsync(leader.Epoch, _patience);
        await Eventually.True(
            async () => (await OrdersBed.OrderAsync(cluster, cluster.Node(next), $"next-{round}", $"next-{round}", OtherProduct)).Status == 201,
            _patience, $"{next.NodeId} has written");
        var written = TimeProvider.System.GetElapsedTime(began);

        StopAtCommit.LetGo(folder, customer);
        node.Resume();
        var told = await stopped;
        var answer = new Answer(told.Status, told.Status == 201 && told.Json.GetProperty("epoch").GetInt64() > leader.Epoch);
        console.WriteLine($"round {round}: {node.Id} stopped, {next.NodeId} wrote after {written.TotalMilliseconds:0} ms, the stopped order was {answer}");
        return answer;
    }

    /// <param name="Status">Of HTTP.</param>
    /// <param name="ByNext">A later leader has taken the order: refused here, it was passed on.</param>
    private sealed record Answer(int Status, bool ByNext)
    {
        public override string ToString() => ByNext ? "refused, then taken by the next leader" : $"answered {Status}";
    }

    private static async Task<(long Stopped, long Late, long LateShipments)> CountAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create(database);
        async Task<long> CountAsync(string sql)
        {
            await using var command = source.CreateCommand(sql);
            return (long)(await command.ExecuteScalarAsync())!;
        }

        // Rows are written once, so the transaction that made one is the one that is in it.
        string Late(string table) => $"""
            SELECT count(*) FROM "{table}" late WHERE EXISTS (
                SELECT 1 FROM "{table}" newer WHERE newer."Epoch" > late."Epoch" AND pg_xact_commit_timestamp(newer.xmin) < pg_xact_commit_timestamp(late.xmin))
            """;
        return (await CountAsync($"SELECT count(*) FROM \"Orders\" WHERE \"Customer\" LIKE '{StopAtCommit.Prefix}%'"),
            await CountAsync(Late("Orders")), await CountAsync(Late("Shipments")));
    }
}
