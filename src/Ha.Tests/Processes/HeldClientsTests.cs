using System.Net;
using System.Net.Sockets;
using System.Text;
using Ha.Cli.Cluster;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

[Trait("Category", "Long")]
[Collection(ProcessTests.Name)]
public class HeldClientsTests(ITestOutputHelper output)
{
    private const int Places = 10_000;
    private const int Excess = 200;

    // No such endpoint: what counts here is the way to the leader, not ten thousand transactions.
    private static readonly byte[] _write = Encoding.ASCII.GetBytes(
        "POST /nowhere HTTP/1.1\r\nHost: held\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"text\":\"x\"}");

    [Fact]
    public async Task Ten_thousand_held_clients_cost_little_and_one_too_many_is_refused_at_once()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings
        {
            Interval = ExampleCluster.QuickInterval,
            Environment = _ => new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["BASE_WRITE_HOLD"] = "5m",
                ["BASE_WRITE_HOLD_MAX"] = $"{Places}",
            },
        });
        var epoch = (await cluster.LeaderAsync(cluster.A))!.Epoch;
        cluster.A.Kill();
        cluster.B.Kill();
        await Eventually.True(async () => await cluster.LeaderAsync(cluster.C) is { Url: "" }, what: "c knows no leader");
        var before = ProcessMemory.PeakMegabytes(cluster.C.Pid);
        var sockets = new List<Socket>();
        try
        {
            await ConnectAsync(sockets, Places + Excess, new Uri(cluster.C.Url));
            var answers = sockets.ConvertAll(ReadAsync);
            await Eventually.True(() => answers.Count(a => a.IsCompleted) == Excess, TimeSpan.FromSeconds(60), "the excess is answered");
            Assert.All(answers.Where(a => a.IsCompleted), a =>
            {
                Assert.StartsWith("HTTP/1.1 503 ", a.Result, StringComparison.Ordinal);
                Assert.Contains("\r\nRetry-After: 1\r\n", a.Result, StringComparison.Ordinal);
            });
            var held = ProcessMemory.PeakMegabytes(cluster.C.Pid) - before;
            output.WriteLine($"{Places} held clients cost {held} MB, {held * 1024 / Places} KB each, connection included");
            Assert.InRange(held, 0, 300);

            await cluster.StartAgainAsync(cluster.B);
            await cluster.WaitForLeaderAsync(epoch);
            var all = await Task.WhenAll(answers).WaitAsync(TimeSpan.FromSeconds(120));
            var statuses = all.GroupBy(a => a[9..12], StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
            output.WriteLine(string.Join(", ", statuses.Select(s => $"{s.Value} × {s.Key}")));
            Assert.Equal(Excess, statuses["503"]);
            Assert.Equal(Places, statuses.GetValueOrDefault("307") + statuses.GetValueOrDefault("404"));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    private static async Task ConnectAsync(List<Socket> sockets, int count, Uri url)
    {
        for (var i = 0; i < count; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            await socket.ConnectAsync(IPAddress.Loopback, url.Port);
            await socket.SendAsync(_write);
        }
    }

    private static async Task<string> ReadAsync(Socket socket)
    {
        var buffer = new byte[1024];
        return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
    }
}
