using System.Net;
using System.Net.Sockets;
using Ha.Tests.Hosting;
using Ha.Tests.Support;

namespace Ha.Tests.Cli;

/// <summary>Three real nodes that commands look at and change; leadership stays where a command has moved it.</summary>
public sealed class OperatedCluster : IAsyncLifetime, IAsyncDisposable
{
    private readonly KestrelCluster _cluster = new(
        ["a", "b", "c"], [("BASE_ADMIN_TOKEN", CommandRun.Token), ("BASE_PREEMPT", "manual"), ("BASE_LEASE_TIMEOUT", "2s")]);

    // Bound, and nobody listens: connections are refused for as long as the tests run.
    private readonly Socket _silent = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    internal KestrelCluster.Node Leader => _cluster.Leader;

    internal KestrelCluster.Node[] Followers => [.. _cluster.Nodes.Where(node => node != Leader)];

    internal string Urls => string.Join(',', _cluster.Nodes.Select(node => node.Url));

    internal string SilentUrl => $"http://{_silent.LocalEndPoint}";

    async Task IAsyncLifetime.InitializeAsync()
    {
        _silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await _cluster.StartAsync();
        await _cluster.HasLeaderAsync("a");
        await SettledAsync("a");
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _silent.Dispose();
    }

    /// <summary>All nodes see this leader, and each other.</summary>
    internal Task SettledAsync(string leader) => Eventually.True(() => _cluster.Nodes.All(node =>
        node.Provider.Current.LeaderId == leader && ((LuxLeader)node.Provider).Election.View().Members.All(member => member.Up)));
}
