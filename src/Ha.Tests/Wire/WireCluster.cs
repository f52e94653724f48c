using System.Globalization;
using System.Net.Http.Headers;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.OnTheWire;

/// <summary>
/// Three processes of <see cref="WireNode"/> in proxy mode. Each node's <c>BASE_LOCAL_TARGET</c> is a relay, so heartbeats
/// and forwarded writes take a rough way; clients reach each node with or without one.
/// </summary>
internal sealed class WireCluster : IAsyncDisposable
{
    private const int Size = 3;
    private static readonly string _adminToken = ClusterSettings.NewSecret();
    private static readonly TimeSpan _startUp = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(30) };
    private readonly List<Relay> _relays = [];
    private readonly NodeProcess[] _nodes;
    private readonly Entrance[] _entrances;

    private WireCluster(int seed)
    {
        var ports = FreePorts.Find(2 * Size);
        var connections = 0;
        Relay Rough(int port)
        {
            var relay = new Relay(port, _ =>
            {
                var number = Interlocked.Add(ref connections, 2);
                return (new RoughFlow(WireWrite.HashOf(seed, number)), new RoughFlow(WireWrite.HashOf(seed, number + 1)));
            });
            _relays.Add(relay);
            return relay;
        }

        Between = [.. ports.Take(Size).Select(Rough)];
        _entrances = [.. Enumerable.Range(0, Size).Select(i =>
            new Entrance(ports[i], ports[Size + i], Rough(ports[i]).Port, Rough(ports[Size + i]).Port))];
        var secret = ClusterSettings.NewSecret();
        var program = App.Assembly(typeof(WireNode).Assembly.Location, WireNode.Verb);
        _nodes = [.. _entrances.Select((entrance, i) => new NodeProcess(IdOf(i), Url(entrance.Http1), program, Environment(i, entrance, secret)))];
    }

    /// <summary>In front of the nodes, for each other.</summary>
    public IReadOnlyList<Relay> Between { get; }

    /// <summary>All connections that were cut.</summary>
    public int Cuts => _relays.Sum(relay => relay.Cuts);

    /// <summary>What the nodes said last.</summary>
    public IEnumerable<string> Output => _nodes.SelectMany(node => node.Output.TakeLast(20).Select(line => $"{node.Id}: {line}"));

    /// <summary>Starts the nodes and waits until all of them know one leader.</summary>
    public static async Task<WireCluster> StartAsync(int seed)
    {
        var cluster = new WireCluster(seed);
        try
        {
            Array.ForEach(cluster._nodes, node => node.Start());
            await Eventually.True(async () =>
            {
                var leaders = await Task.WhenAll(cluster._nodes.Select(cluster.LeaderOfAsync));
                return leaders.Distinct(StringComparer.Ordinal).ToArray() is [{ Length: > 0 }];
            }, _startUp, "one leader");
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where a client of this kind finds a node.</summary>
    public string UrlOf(int node, Dialect dialect, bool throughRelay)
    {
        var entrance = _entrances[node];
        return Url((dialect == Dialect.Http2, throughRelay) switch
        {
            (false, false) => entrance.Http1,
            (true, false) => entrance.Http2,
            (false, true) => entrance.RoughHttp1,
            (true, true) => entrance.RoughHttp2,
        });
    }

    /// <summary>Asks the leader to hand over, if there is one and it can.</summary>
    public async Task<bool> MoveLeadershipAsync()
    {
        var known = (await Task.WhenAll(_nodes.Select(LeaderOfAsync))).FirstOrDefault(id => id is { Length: > 0 });
        if (_nodes.FirstOrDefault(node => node.Id == known) is not { } leader)
        {
            return false;
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, $"{leader.Url}/_ha/step-down");
        request.Content = new StringContent("{}", new MediaTypeHeaderValue("application/json"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _adminToken);
        using var answer = await _http.SendAsync(request);
        return answer.IsSuccessStatusCode;
    }

    /// <summary>Waits until no node has anything to do any more, and returns what they say they executed.</summary>
    public async Task<IReadOnlyList<WireExecution>> ExecutedAsync()
    {
        await Eventually.True(async () =>
        {
            var running = await Task.WhenAll(_nodes.Select(node => _http.GetStringAsync($"{node.Url}/running")));
            return running.All(count => count is "0");
        }, TimeSpan.FromSeconds(60), "all nodes are through");
        var all = await Task.WhenAll(_nodes.Select(async node =>
        {
            var lines = await _http.GetStringAsync($"{node.Url}/executed");
            return lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => WireExecution.Parse(node.Id, line));
        }));
        return [.. all.SelectMany(executed => executed)];
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Select(node => node.StopAsync(TimeSpan.Zero)));
        await Task.WhenAll(_relays.Select(relay => relay.DisposeAsync().AsTask()));
        _http.Dispose();
    }

    private async Task<string?> LeaderOfAsync(NodeProcess node)
    {
        try
        {
            return LeaderAnswer.Parse(await _http.GetStringAsync($"{node.Url}/_ha/leader")).NodeId;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private Dictionary<string, string?> Environment(int node, Entrance entrance, string secret) => new(StringComparer.Ordinal)
    {
        ["BASE_NODE_ID"] = IdOf(node),
        ["BASE_LOCAL_TARGET"] = Between[node].Url,
        ["BASE_PEERS"] = string.Join(',', Between.Select(relay => relay.Url)),
        ["BASE_CLUSTER_SECRET"] = secret,
        ["BASE_ADMIN_TOKEN"] = _adminToken,
        ["BASE_FORWARD_MODE"] = "proxy",

        // One node never holds: what it cannot place it refuses, and that has to be true.
        ["BASE_WRITE_HOLD"] = node == 2 ? "0s" : null,
        ["Kestrel__Endpoints__Http1__Url"] = Url(entrance.Http1),
        ["Kestrel__Endpoints__Http1__Protocols"] = "Http1",
        ["Kestrel__Endpoints__Http2__Url"] = Url(entrance.Http2),
        ["Kestrel__Endpoints__Http2__Protocols"] = "Http2",
    };

    private static string IdOf(int node) => $"{(char)('a' + node)}";

    private static string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    private sealed record Entrance(int Http1, int Http2, int RoughHttp1, int RoughHttp2);
}

/// <summary>What a node says it executed.</summary>
internal sealed record WireExecution(string Node, int Id, long Length, string Checksum, long Epoch)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Length} bytes {Checksum[..8]} by {Node} in {Epoch}");

    public static WireExecution Parse(string node, string line)
    {
        var part = line.Split(' ');
        var culture = CultureInfo.InvariantCulture;
        return new WireExecution(node, int.Parse(part[0], culture), long.Parse(part[1], culture), part[2], long.Parse(part[3], culture));
    }
}
