using System.Collections.Concurrent;
using System.CommandLine;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Ha.Cli.Cluster;
using Ha.Grpc.Client;
using Ha.Tests.Endpoints.GrpcHealth;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Ha.Tests.GrpcClient;

/// <summary>
/// `grpc-rolls --kills N --rolls N --rate N`: three processes with TLS, default timing and one database lose leaders by SIGKILL and are
/// restarted one after the other, while a client of Ha.Grpc.Client calls, each call with a key of its own and wait-for-ready.
/// </summary>
internal static class GrpcRollsCommand
{
    public const string Usage = "grpc-rolls [--kills 20] [--rolls 20] [--rate 200]";

    private static readonly TimeSpan _lease = TimeSpan.FromMilliseconds(1500);
    private static readonly TimeSpan _grace = TimeSpan.FromMilliseconds(300);

    public static int Run(string[] args, TextWriter console)
    {
        var kills = new Option<int>("--kills") { DefaultValueFactory = _ => 20 };
        var rolls = new Option<int>("--rolls") { DefaultValueFactory = _ => 20 };
        var rate = new Option<int>("--rate") { DefaultValueFactory = _ => 200 };
        var command = new RootCommand("Kills and restarts nodes under a gRPC client that follows the leader, and counts failed calls.") { kills, rolls, rate };
        command.SetAction(parsed => RunAsync(parsed.GetValue(kills), parsed.GetValue(rolls), parsed.GetValue(rate), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int kills, int rolls, int rate, TextWriter console)
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
            using var root = X509CertificateLoader.LoadCertificateFromFile(cluster.CertificateFile);
            using var channel = GrpcChannel.ForAddress(
                $"ha:///{string.Join(',', cluster.Nodes.Select(node => new Uri(node.Url).Authority))}",
                new GrpcChannelOptions
                {
                    HttpHandler = new SocketsHttpHandler { UseProxy = false, SslOptions = { CertificateChainPolicy = TestAuthority.Policy(root) } },
                    DisposeHttpClient = true,
                }.UseHaLeader());
            await using var load = new CallLoad(new Calls.CallsClient(channel.WithHaRepeats()), rate);
            await load.AnswersAsync(rate);
            var late = new List<TimeSpan>();
            for (var kill = 0; kill < kills; kill++)
            {
                var leader = await LeaderAsync(cluster);
                var killed = TimeProvider.System.GetTimestamp();
                leader.Kill();
                await load.AnswersAsync(2 * rate);
                late.Add(load.FirstSince(killed));
                console.WriteLine($"kill of {leader.Id}: the first call sent since then was answered after {late[^1].TotalMilliseconds:0} ms");
                await cluster.StartAgainAsync(leader);
                await load.AnswersAsync(rate);
            }

            for (var roll = 0; roll < rolls; roll++)
            {
                var began = TimeProvider.System.GetTimestamp();
                foreach (var node in cluster.Nodes)
                {
                    node.Terminate();
                    await cluster.StartAgainAsync(node);
                }

                await load.AnswersAsync(rate);
                console.WriteLine($"roll of all: the longest call took {load.LongestSince(began).TotalMilliseconds:0} ms");
            }

            await load.StopAsync();
            var answers = load.Answers;
            var direct = answers.Count(answer => answer.Text?.EndsWith(" direct", StringComparison.Ordinal) is true);
            var counts = await CountsAsync(database);
            var (lost, doubled) = (answers.Count(answer => answer.Text is not null && !counts.ContainsKey(answer.Name)), counts.Values.Count(count => count > 1));
            var failed = answers.Where(answer => answer.Failure is not null).ToList();
            failed.Take(20).ToList().ForEach(answer => console.WriteLine($"{answer.Name}: {answer.Failure}"));
            var share = 100.0 * direct / answers.Count;
            var worst = late.DefaultIfEmpty().Max();
            console.WriteLine($"{kills} kills, {rolls} rolls: {answers.Count} calls, {failed.Count} failed, {lost} lost, {doubled} doubled; {share:0.00} % straight to the leader; "
                + $"after a kill the next leader answered within {worst.TotalMilliseconds:0} ms at a lease of {_lease.TotalMilliseconds:0} ms");
            return failed.Count == 0 && lost == 0 && doubled == 0 && share >= 99 && worst <= _lease + _grace ? 0 : 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<NodeProcess> LeaderAsync(EchoCluster cluster)
    {
        NodeProcess? leader = null;
        await Eventually.True(async () =>
        {
            var answers = await Task.WhenAll(cluster.Nodes.Select(cluster.LeaderAsync));
            leader = cluster.Nodes.FirstOrDefault(node => answers.All(answer => answer?.NodeId == node.Id));
            return leader is not null;
        }, TimeSpan.FromSeconds(60), "all agree on a leader");
        return leader!;
    }

    private static async Task<Dictionary<string, int>> CountsAsync(string database)
    {
        await using var connection = new SqliteConnection(database + ";Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT text, COUNT(*) FROM notes GROUP BY text";
        await using var rows = await command.ExecuteReaderAsync();
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        while (await rows.ReadAsync())
        {
            counts[rows.GetString(0)] = rows.GetInt32(1);
        }

        return counts;
    }

    private sealed record Answer(string Name, long Sent, TimeSpan Took, string? Text, string? Failure);

    /// <summary>Calls at a fixed rate, whether or not earlier ones were answered.</summary>
    private sealed class CallLoad : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly ConcurrentQueue<Answer> _answers = new();
        private readonly Task _schedule;

        public CallLoad(Calls.CallsClient client, int rate) => _schedule = RunAsync(client, rate);

        public IReadOnlyCollection<Answer> Answers => _answers;

        /// <summary>From a moment until the first answer to a call that was sent since then.</summary>
        public TimeSpan FirstSince(long moment) =>
            Since(moment).Where(answer => answer.Text is not null).Min(answer => TimeProvider.System.GetElapsedTime(moment, answer.Sent) + answer.Took);

        public TimeSpan LongestSince(long moment) => Since(moment).Max(answer => answer.Took);

        public Task AnswersAsync(int more)
        {
            var goal = _answers.Count + more;
            return Eventually.True(() => _answers.Count >= goal, TimeSpan.FromSeconds(60), $"{more} more calls are answered");
        }

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _schedule;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stop.Dispose();
        }

        private IEnumerable<Answer> Since(long moment) => _answers.Where(answer => answer.Sent >= moment);

        private async Task RunAsync(Calls.CallsClient client, int rate)
        {
            await Task.Yield();
            var open = new List<Task>();
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
            var start = TimeProvider.System.GetTimestamp();
            for (var sent = 0; !_stop.IsCancellationRequested; await timer.WaitForNextTickAsync())
            {
                var due = (int)(TimeProvider.System.GetElapsedTime(start).TotalSeconds * rate);
                for (; sent < due; sent++)
                {
                    open.Add(CallAsync(client, $"call {sent}"));
                }
            }

            await Task.WhenAll(open);
        }

        private async Task CallAsync(Calls.CallsClient client, string name)
        {
            var sent = TimeProvider.System.GetTimestamp();
            string? text = null, failure = null;
            try
            {
                text = (await client.UnaryAsync(new Said { Text = name }, LeaderChannel.InHalfAMinute(wait: true).WithIdempotencyKey())).Text;
            }
            catch (RpcException e)
            {
                failure = e.Status.ToString();
            }

            _answers.Enqueue(new Answer(name, sent, TimeProvider.System.GetElapsedTime(sent), text, failure));
        }
    }
}
