using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ha.Http;
using Ha.Tests.Client;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Xunit.Abstractions;

namespace Ha.Tests.Http;

/// <summary>
/// Three members that elect and know each other by name. One goes away and comes back where its name leads now, first one that follows and
/// then the one that leads. Real sockets; only the resolver is the test's.
/// </summary>
[Trait("Category", "Long")]
public sealed class MovingMembersTests(ITestOutputHelper output)
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _write = TimeSpan.FromSeconds(25);

    private readonly ConcurrentDictionary<string, IPAddress> _names = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(string From, IPEndPoint To)> _connections = new();
    private readonly ConcurrentQueue<string> _written = new();

    [Theory]
    [InlineData("stops", "127.0.0.2", "::1")]
    [InlineData("is killed", "::1", "127.0.0.2")]
    [InlineData("vanishes", "127.0.0.2", "127.0.0.3")]
    public async Task A_member_that_comes_back_elsewhere_is_found_within_a_lease(string how, string from, string to)
    {
        var (before, after) = (IPAddress.Parse(from), IPAddress.Parse(to));
        await using var cluster = new RestartableCluster(Map, Build, [before, before, before]);
        using var holes = new Holes();
        Array.ForEach(Enumerable.Range(0, 3).ToArray(), index => Publish(index, before));
        await cluster.StartAsync();
        using var client = new HttpClient { Timeout = _write };
        await LeadsAsync(cluster, 0);
        Assert.Equal("a", await WriteAsync(client, cluster, through: 1));
        var epoch = cluster.NodeAt(0)!.Current.Epoch;

        // Step 1: one that follows.
        await EndAsync(cluster, 2, how, holes);
        await ComeBackAsync(cluster, 2, after);
        Assert.Equal("a", await WriteAsync(client, cluster, through: 2));
        Assert.Equal((true, epoch), (cluster.NodeAt(0)!.IsLeader, cluster.NodeAt(0)!.Current.Epoch));

        // Step 2: the one that leads. A write that comes meanwhile waits for the next leader, unless it has left for the one that vanished.
        await EndAsync(cluster, 0, how, holes);
        if (how is "vanishes")
        {
            Assert.Equal("BadGateway", await WriteAsync(client, cluster, through: 2));
        }

        var next = await WriteAsync(client, cluster, through: 2);
        await ComeBackAsync(cluster, 0, after);

        // Step 3: it leads again, where it is now.
        await LeadsAsync(cluster, 0);
        await WriteAsync(client, cluster, through: 1);
        await WriteAsync(client, cluster, through: 2);
        Assert.Equal(["a", "a", next, "a", "a"], _written);
    }

    private static async Task EndAsync(RestartableCluster cluster, int index, string how, Holes holes)
    {
        var place = cluster.PlaceOf(index);
        switch (how)
        {
            case "stops":
                await cluster.StopAsync(index);
                break;
            case "is killed":
                await cluster.KillAsync(index);
                await holes.OpenAsync(place);
                break;
            default:
                cluster.Vanish(index);
                await holes.OpenAsync(place);
                break;
        }
    }

    private async Task ComeBackAsync(RestartableCluster cluster, int index, IPAddress place)
    {
        cluster.Move(index, place);
        Publish(index, place);
        await cluster.StartAsync(index);
        var listening = TimeProvider.System.GetTimestamp();
        var (id, there) = (Id(index), cluster.PlaceOf(index));
        int[] others = [.. Enumerable.Range(0, 3).Where(other => other != index)];

        // They have connected to it, and each hears the other.
        await Eventually.True(() => others.All(other =>
            _connections.Any(connection => connection.From == Id(other) && connection.To.Equals(there))
            && IsUp(cluster, other, id)
            && IsUp(cluster, index, Id(other))));

        var took = TimeProvider.System.GetElapsedTime(listening);
        output.WriteLine($"{id} was found at {there} after {took.TotalMilliseconds:0} ms.");
        Assert.InRange(took, TimeSpan.Zero, _lease);
    }

    private static bool IsUp(RestartableCluster cluster, int index, string member) =>
        cluster.NodeAt(index)!.Election.View().Members.Any(view => view.NodeId == member && view.Up);

    private static Task LeadsAsync(RestartableCluster cluster, int index) => Eventually.True(
        () => Enumerable.Range(0, 3).All(other => cluster.NodeAt(other)!.Current.LeaderId == Id(index)) && cluster.NodeAt(index)!.IsLeader,
        TimeSpan.FromMinutes(1),
        $"{Id(index)} leads");

    /// <returns>Who has executed it.</returns>
    private static async Task<string> WriteAsync(HttpClient client, RestartableCluster cluster, int through)
    {
        using var body = new StringContent("x");
        using var answer = await client.PostAsync(new Uri($"http://{cluster.PlaceOf(through)}/notes"), body);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync() : answer.StatusCode.ToString();
    }

    private static string Id(int index) => ((char)('a' + index)).ToString();

    private void Publish(int index, IPAddress place) => _names[$"{Id(index)}.invalid"] = place;

    private void Map(WebApplication app)
    {
        var id = app.Configuration["BASE_NODE_ID"]!;
        app.MapPost("/notes", () =>
        {
            _written.Enqueue(id);
            return id;
        });
    }

    private void Build(string id, WebApplicationBuilder builder)
    {
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["BASE_FORWARD_MODE"] = "proxy",
            ["BASE_HEARTBEAT_INTERVAL"] = "200ms",
            ["BASE_LEASE_TIMEOUT"] = $"{_lease.TotalSeconds}s",
            ["BASE_WRITE_HOLD"] = "20s",
        });
        builder.Services.AddSingleton(_ => new MemberAddresses(
            (name, _) => Task.FromResult<IPAddress[]>([_names[name]]),
            open: async (address, cancellation) =>
            {
                var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    await socket.ConnectAsync(address, cancellation);
                    _connections.Enqueue((id, address));
                    return socket;
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            }));
    }

    /// <summary>What swallows packets where a member was.</summary>
    private sealed class Holes : IDisposable
    {
        private readonly List<BlackHole> _holes = [];

        public async Task OpenAsync(IPEndPoint place) => _holes.Add(await BlackHole.OpenAsync(place.Address, place.Port));

        public void Dispose() => _holes.ForEach(static hole => hole.Dispose());
    }
}
