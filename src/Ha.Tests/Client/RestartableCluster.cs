using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ha.Leadership;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
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
    private readonly Socket[] _reserved;
    private readonly IPAddress[] _places;
    private readonly bool _named;
    private readonly Node?[] _nodes = new Node?[_ids.Length];
    private readonly List<Node> _vanished = [];
    private readonly Action<WebApplication> _map;
    private readonly Action<string, WebApplicationBuilder>? _build;

    /// <param name="map">Endpoints of each node.</param>
    /// <param name="build">Services of the node with this id, each time it starts.</param>
    /// <param name="places">Where each node listens at first, known by a name that only the test resolves. Default: known by address.</param>
    public RestartableCluster(Action<WebApplication> map, Action<string, WebApplicationBuilder>? build = null, IPAddress[]? places = null)
    {
        (_map, _build, _named) = (map, build, places is not null);
        _places = places ?? [.. _ids.Select(_ => IPAddress.Loopback)];
        _reserved = [.. _ids.Select(_ => Bind(_named ? IPAddress.IPv6Any : IPAddress.Loopback, 0))];
    }

    public string[] Urls => [.. Enumerable.Range(0, _ids.Length).Select(Url)];

    public int LeaderIndex => Array.FindIndex(_nodes, node => node is { Provider.IsLeader: true });

    /// <summary>The provider of a node that runs; null while it does not.</summary>
    public LuxLeader? NodeAt(int index) => _nodes[index]?.Provider as LuxLeader;

    /// <summary>A socket bound to the address of a node that does not run, for somebody else in its place.</summary>
    public Socket TakePlaceOf(int index) => Bind(PlaceOf(index).Address, PlaceOf(index).Port);

    /// <summary>Where the node listens, or will when it starts.</summary>
    public IPEndPoint PlaceOf(int index) => new(_places[index], ((IPEndPoint)_reserved[index].LocalEndPoint!).Port);

    /// <summary>Where the node listens from its next start on.</summary>
    public void Move(int index, IPAddress place) => _places[index] = place;

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

    /// <summary>As by a cable that is pulled: no word to anybody, and whoever sends something there hears nothing at all.</summary>
    public void Vanish(int index)
    {
        var node = _nodes[index]!;
        _nodes[index] = null;
        _vanished.Add(node);
        node.FallSilent();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.OfType<Node>().Concat(_vanished))
        {
            await node.KillAsync();
        }

        Array.ForEach(_reserved, socket => socket.Dispose());
    }

    private string Url(int index) => _named ? $"http://{_ids[index]}.invalid:{PlaceOf(index).Port}" : $"http://{PlaceOf(index)}";

    private static Socket Bind(IPAddress address, int port)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (address.Equals(IPAddress.IPv6Any))
        {
            socket.DualMode = true;
        }

        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(address, port));
        return socket;
    }

    private sealed class Node
    {
        private readonly Socket _listener;
        private readonly ConcurrentDictionary<ConnectionContext, bool> _connections = new();
        private readonly TaskCompletionSource _killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _silent;

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
            builder.Services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter>(new Outermost(HearAsync)));
            App = builder.Build();
            Provider = App.Services.GetRequiredService<ILeaderProvider>();
        }

        public string Id { get; }

        public WebApplication App { get; }

        public ILeaderProvider Provider { get; }

        public void FallSilent()
        {
            Volatile.Write(ref _silent, true);
            _listener.Dispose();
            App.Services.GetRequiredService<HaNode>().Dispose();
        }

        public async Task KillAsync()
        {
            _killed.TrySetResult();
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

        private async Task HearAsync(HttpContext http, Func<Task> next)
        {
            if (!Volatile.Read(ref _silent))
            {
                await next();
                return;
            }

            await _killed.Task;
            http.Abort();
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

    private sealed class Outermost(Func<HttpContext, Func<Task>, Task> middleware) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(middleware);
            next(app);
        };
    }
}
