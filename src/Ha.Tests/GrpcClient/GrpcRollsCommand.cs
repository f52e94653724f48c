using System.CommandLine;
using System.Net;
using Grpc.Net.Client;
using Ha.Grpc.Client;
using Ha.Tests.Endpoints.GrpcHealth;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using MinimalApiApp.Notes;

namespace Ha.Tests.GrpcClient;

/// <summary>
/// `grpc-rolls --kills N --rolls N --rate N`: three processes with TLS, default timing and one database lose leaders by SIGKILL and are
/// restarted one after the other, while a client of Ha.Grpc.Client calls, each call with a key of its own and wait-for-ready.
/// </summary>
internal static class GrpcRollsCommand
{
    public const string Usage = "grpc-rolls [--kills 20] [--rolls 20] [--rate 200] [--slack 0] [--direct 99]";

    private static readonly TimeSpan _lease = TimeSpan.FromMilliseconds(1500);
    private static readonly TimeSpan _grace = TimeSpan.FromMilliseconds(300);

    public static int Run(string[] args, TextWriter console)
    {
        var kills = new Option<int>("--kills") { DefaultValueFactory = _ => 20 };
        var rolls = new Option<int>("--rolls") { DefaultValueFactory = _ => 20 };
        var rate = new Option<int>("--rate") { DefaultValueFactory = _ => 200 };
        var slack = new Option<int>("--slack") { Description = "How many ms more than on a machine with time for it a kill may cost.", DefaultValueFactory = _ => 0 };
        var direct = new Option<int>("--direct") { Description = "How many percent of the calls at least go straight to the leader.", DefaultValueFactory = _ => 99 };
        var command = new RootCommand("Kills and restarts nodes under a gRPC client that follows the leader, and counts failed calls.")
        {
            kills, rolls, rate, slack, direct,
        };
        command.SetAction(parsed => RunAsync(
            parsed.GetValue(kills), parsed.GetValue(rolls), parsed.GetValue(rate),
            TimeSpan.FromMilliseconds(parsed.GetValue(slack)), parsed.GetValue(direct), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int kills, int rolls, int rate, TimeSpan slack, int leastDirect, TextWriter console)
    {
        var folder = Directory.CreateTempSubdirectory("ha-ledger-");
        try
        {
            var database = $"Data Source={Path.Combine(folder.FullName, "ledger.db")}";
            await using var cluster = new EchoCluster(new Silence(), LedgerNode.Verb, $"{_lease.TotalMilliseconds}ms", new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["BASE_HEARTBEAT_INTERVAL"] = "500ms",
                ["ConnectionStrings__Notes"] = database,
            });
            await cluster.StartAsync();
            using var channel = GrpcChannel.ForAddress(
                $"ha:///{string.Join(',', cluster.Nodes.Select(node => new Uri(node.Url).Authority))}",
                new GrpcChannelOptions
                {
                    HttpHandler = new SocketsHttpHandler { UseProxy = false, SslOptions = { CertificateChainPolicy = TestAuthority.Policy(cluster.Certificate) } },
                    DisposeHttpClient = true,
                }.UseHaLeader());
            var client = new Calls.CallsClient(channel.WithHaRepeats());
            var direct = 0;
            await using var load = new OpenLoad(CallAsync, rate);
            await load.AnswersAsync(TimeSpan.FromSeconds(1));
            var late = new List<TimeSpan>();
            for (var kill = 0; kill < kills; kill++)
            {
                var leader = await cluster.LeaderAsync();
                leader.Kill();
                var killed = TimeProvider.System.GetTimestamp();
                await load.AnswersAsync(TimeSpan.FromSeconds(2));
                late.Add(await load.FirstAcknowledgedAsync(killed, $"the kill of {leader.Id}"));
                console.WriteLine($"kill of {leader.Id}: the first call sent since then was answered after {late[^1].TotalMilliseconds:0} ms");
                await cluster.StartAgainAsync(leader);
                await load.AnswersAsync(TimeSpan.FromSeconds(1));
            }

            for (var roll = 0; roll < rolls; roll++)
            {
                var began = TimeProvider.System.GetTimestamp();
                foreach (var node in cluster.Nodes)
                {
                    node.Terminate();
                    await cluster.StartAgainAsync(node);
                }

                await load.AnswersAsync(TimeSpan.FromSeconds(1));
                console.WriteLine($"roll of all: the longest call took {load.LongestWait(began, TimeProvider.System.GetElapsedTime(began)).TotalMilliseconds:0} ms");
            }

            await load.StopAsync();
            var (lost, doubled) = load.Results.Against(await NotesAsync(SqlDialect.Of(database + ";Pooling=False")));
            var failed = load.Failures.ToList();
            failed.Take(20).ToList().ForEach(call => console.WriteLine($"{call.Text}: {call.Failure}"));
            var share = 100.0 * direct / load.Results.Count;
            var worst = late.DefaultIfEmpty().Max();
            console.WriteLine($"{kills} kills, {rolls} rolls: {load.Results.Count} calls, {failed.Count} failed, {lost} lost, {doubled} doubled; {share:0.00} % straight to the leader; "
                + $"after a kill the next leader answered within {worst.TotalMilliseconds:0} ms at a lease of {_lease.TotalMilliseconds:0} ms");
            return failed.Count == 0 && lost == 0 && doubled == 0 && share >= leastDirect && worst <= _lease + _grace + slack ? 0 : 1;

            async Task<NodeAnswer> CallAsync(string text)
            {
                var said = await client.UnaryAsync(new Said { Text = text }, LeaderChannel.InHalfAMinute(wait: true).WithIdempotencyKey());
                if (said.Text.EndsWith(" direct", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref direct);
                }

                return Created(said.Text);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A call that has an answer, in the words of the other loads.</summary>
    private static NodeAnswer Created(string body)
    {
        using var message = new HttpResponseMessage(HttpStatusCode.Created);
        return new NodeAnswer((int)message.StatusCode, body, message.Headers, message.Content.Headers);
    }

    private static async Task<List<NoteAnswer>> NotesAsync(SqlDialect sql)
    {
        await using var connection = await sql.Source.OpenConnectionAsync();
        return await connection.Command("SELECT id, text, node, epoch FROM notes").QueryAsync(
            row => new NoteAnswer(row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetInt64(3)));
    }
}
