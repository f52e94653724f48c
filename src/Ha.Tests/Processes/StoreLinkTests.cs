using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Ha.Tests.Support;

namespace Ha.Tests.Processes;

[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "IAsyncLifetime disposes them.")]
public sealed class StoreLinkTests : IAsyncLifetime
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private StoreLink _link = null!;

    public Task InitializeAsync()
    {
        _server.Start();
        _link = new StoreLink(((IPEndPoint)_server.LocalEndpoint).Port);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _link.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task What_is_sent_arrives_and_the_server_knows_whose_it_is()
    {
        using var node = await ConnectAsync();
        using var seen = await _server.AcceptTcpClientAsync().WaitAsync(_patience);

        await node.GetStream().WriteAsync("?"u8.ToArray());
        await AssertReadsAsync(seen, (byte)'?');
        await seen.GetStream().WriteAsync("!"u8.ToArray());
        await AssertReadsAsync(node, (byte)'!');

        Assert.True(_link.IsFrom((IPEndPoint)seen.Client.RemoteEndPoint!));
        Assert.False(_link.IsFrom(new IPEndPoint(IPAddress.Loopback, 1)));
    }

    [Fact]
    public async Task While_it_is_cut_nothing_arrives_and_mending_resets_the_connections_of_that_time()
    {
        using var before = await ConnectAsync();
        using var seen = await _server.AcceptTcpClientAsync().WaitAsync(_patience);

        _link.Cut();
        await before.GetStream().WriteAsync("lost"u8.ToArray());
        using var during = await ConnectAsync();
        await during.GetStream().WriteAsync("lost"u8.ToArray());
        await Eventually.True(() => _link.Open == 2);
        _link.Mend();

        await AssertResetAsync(before);
        await AssertResetAsync(during);
        await AssertResetAsync(seen);
        using var after = await ConnectAsync();
        using var fresh = await _server.AcceptTcpClientAsync().WaitAsync(_patience);
        await after.GetStream().WriteAsync("?"u8.ToArray());
        await AssertReadsAsync(fresh, (byte)'?');
    }

    private static async Task AssertReadsAsync(TcpClient client, byte expected)
    {
        var buffer = new byte[1];
        await client.GetStream().ReadExactlyAsync(buffer).AsTask().WaitAsync(_patience);
        Assert.Equal(expected, buffer[0]);
    }

    private static Task<IOException> AssertResetAsync(TcpClient client) =>
        Assert.ThrowsAsync<IOException>(() => client.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(_patience));

    private async Task<TcpClient> ConnectAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _link.Port);
        return client;
    }
}
