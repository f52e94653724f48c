using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

/// <summary>A node is the process that has its port: members hear of it from when it listens.</summary>
public sealed class ListeningTests : IAsyncLifetime, IDisposable
{
    private readonly WebApplication _peer;
    private readonly ConcurrentQueue<string> _connections = new();
    private readonly ConcurrentQueue<(string Connection, string Text)> _beats = new();
    private readonly Socket _taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ListeningTests()
    {
        _taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _taken.Listen();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, Count));
        _peer = builder.Build();
        _peer.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            _beats.Enqueue((context.Connection.Id, await reader.ReadToEndAsync()));
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        });

        void Count(ListenOptions endpoint) => endpoint.Use(next => connection =>
        {
            _connections.Enqueue(connection.ConnectionId);
            return next(connection);
        });
    }

    public Task InitializeAsync() => _peer.StartAsync();

    public Task DisposeAsync() => _peer.DisposeAsync().AsTask();

    public void Dispose() => _taken.Dispose();

    [Fact]
    public async Task A_process_that_cannot_have_its_port_is_heard_of_by_nobody()
    {
        await using (var second = Node("second", ((IPEndPoint)_taken.LocalEndPoint!).Port))
        {
            await Assert.ThrowsAsync<IOException>(() => second.StartAsync());
        }

        await using var first = Node("first", port: 0);
        await first.StartAsync();
        await Eventually.True(() => !_beats.IsEmpty);
        await first.StopAsync();

        Assert.All(_beats, beat => Assert.Contains("\"first\"", beat.Text, StringComparison.Ordinal));
        Assert.Equal(_beats.First().Connection, _connections.First());
    }

    [Fact]
    public async Task A_node_that_listens_and_still_warms_up_is_heard()
    {
        var warm = new TaskCompletionSource();
        await using var node = Node("first", port: 0, options => options.WarmUp += (_, _) => warm.Task);
        await node.StartAsync();

        await Eventually.True(() => !_beats.IsEmpty);

        Assert.True(node.Services.GetRequiredService<ILeaderProvider>().Current.Starting);
        warm.SetResult();
        await node.StopAsync();
    }

    private WebApplication Node(string id, int port, Action<HaOptions>? configure = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["BASE_NODE_ID"] = id,
            ["BASE_LOCAL_TARGET"] = "http://127.0.0.1:1",
            ["BASE_PEERS"] = _peer.Urls.Single(),
            ["BASE_CLUSTER_SECRET"] = "a-secret-for-the-tests-only",
        });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        builder.Services.AddRoutingCore();
        builder.Logging.ClearProviders();
        builder.Services.AddHa(configure);
        return builder.Build();
    }
}
