using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ha.Leadership;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Client;

/// <summary>
/// Real nodes on loopback that can be killed, stopped and started again under their addresses, over one database that
/// survives them all.
/// </summary>
internal sealed class RestartableCluster : IAsyncDisposable
{
    public const string Secret = "a-secret-for-the-tests-only";

    private static readonly string[] _ids = ["a", "b", "c"];

    // Bound but not listening: they keep the ports for the nodes, and a dead node's port refuses connections.
    private readonly Socket[] _reserved = [.. _ids.Select(_ => Bind(0))];
    private readonly Node?[] _nodes = new Node?[_ids.Length];
    private readonly Action<WebApplication> _map;
    private readonly Action<string, WebApplicationBuilder>? _build;

    /// <param name="map">Endpoints of each node.</param>
    /// <param name="build">Services of the node with this id, each time it starts.</param>
    public RestartableCluster(Action<WebApplication> map, Action<string, WebApplicationBuilder>? build = null) => (_map, _build) = (map, build);

    public string[] Urls => [.. Enumerable.Range(0, _ids.Length).Select(Url)];

    public int LeaderIndex => Array.FindIndex(_nodes, node => node is { Provider.IsLeader: true });

    /// <summary>The provider of a node that runs; null while it does not.</summary>
    public LuxLeader? NodeAt(int index) => _nodes[index]?.Provider as LuxLeader;

    /// <summary>A socket bound to the address of a node that does not run, for somebody else in its place.</summary>
    public Socket TakePlaceOf(int index) => Bind(((IPEndPoint)_reserved[index].LocalEndPoint!).Port);

    public async Task StartAsync()
    {
        await Task.WhenAll(Enumerable.Range(0, _ids.Length).Select(StartAsync));
        await SettledAsync();
    }

    public async Task StartAsync(int index)
    {
        var node = new Node(_ids[index], Url(index), Urls, TakePlaceOf(index), _build);
        _map(node.App);
        await node.App.StartAsync();
        _nodes[index] = node;
    }

    /// <summary>All nodes that run know the same leader, and it is one of them.</summary>
    public Task SettledAsync() => Eventually.True(() =>
    {
        var running = _nodes.OfType<Node>().ToArray();
        var leaders = running.Select(node => node.Provider.Current.LeaderId).Distinct().ToArray();
        return leaders is [{ } leader] && running.Any(node => node.Id == leader && node.Provider.IsLeader);
    });

    /// <summary>As by a power cut, seen from outside: no word to anybody, all connections gone, the port refuses.</summary>
    public async Task KillAsync(int index)
    {
        var node = _nodes[index]!;
        _nodes[index] = null;
        await node.KillAsync();
    }

    /// <summary>As by SIGTERM: hands over, finishes what runs.</summary>
    public async Task StopAsync(int index)
    {
        var node = _nodes[index]!;
        _nodes[index] = null;
        await node.App.StopAsync();
        await node.App.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.OfType<Node>())
        {
            await node.KillAsync();
        }

        Array.ForEach(_reserved, socket => socket.Dispose());
    }

    private string Url(int index) => $"http://{_reserved[index].LocalEndPoint}";

    private static Socket Bind(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        return socket;
    }

    private sealed class Node
    {
        private readonly Socket _listener;
        private readonly ConcurrentDictionary<ConnectionContext, bool> _connections = new();

        public Node(string id, string url, string[] peers, Socket listener, Action<string, WebApplicationBuilder>? build)
        {
            (Id, _listener) = (id, listener);
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["BASE_NODE_ID"] = id,
                ["BASE_LOCAL_TARGET"] = url,
                ["BASE_PEERS"] = string.Join(',', peers),
                ["BASE_CLUSTER_SECRET"] = Secret,
                ["BASE_HEARTBEAT_INTERVAL"] = "100ms",
                ["BASE_LEASE_TIMEOUT"] = "800ms",
            });
            builder.WebHost.UseKestrelCore().UseSockets(sockets => sockets.CreateBoundListenSocket = _ => listener);
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.Use(Track)));
            builder.Services.AddRoutingCore();
            builder.Logging.ClearProviders();
            builder.Services.AddHa();
            build?.Invoke(id, builder);
            App = builder.Build();
            Provider = App.Services.GetRequiredService<ILeaderProvider>();
        }

        public string Id { get; }

        public WebApplication App { get; }

        public ILeaderProvider Provider { get; }

        public async Task KillAsync()
        {
            _listener.Dispose();
            foreach (var connection in _connections.Keys)
            {
                connection.Abort();
            }

            // Stops to speak without releasing anything.
            App.Services.GetRequiredService<HaNode>().Dispose();
            await App.StopAsync(new CancellationToken(canceled: true));
            await App.DisposeAsync();
        }

        private ConnectionDelegate Track(ConnectionDelegate next) => async connection =>
        {
            _connections[connection] = true;
            try
            {
                await next(connection);
            }
            finally
            {
                _connections.TryRemove(connection, out _);
            }
        };
    }
}
