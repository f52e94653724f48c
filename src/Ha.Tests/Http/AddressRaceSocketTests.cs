extern alias server;

using System.Net;
using System.Net.Sockets;
using Ha.Tests.Support;
using AddressRace = server::Ha.Http.AddressRace;

namespace Ha.Tests.Http;

/// <summary>The race over real sockets on loopback.</summary>
public sealed class AddressRaceSocketTests
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(4);

    [Theory]
    [InlineData("::1", "127.0.0.1")]
    [InlineData("127.0.0.2", "127.0.0.1")]
    [InlineData("127.0.0.2", "::1")]
    public async Task A_black_holed_address_costs_a_fraction_of_the_time(string dead, string alive)
    {
        using var listener = Listen(IPAddress.Parse(alive));
        var target = (IPEndPoint)listener.LocalEndPoint!;
        using var hole = await BlackHole.OpenAsync(IPAddress.Parse(dead), target.Port);
        var started = TimeProvider.System.GetTimestamp();

        using var socket = await ConnectAsync(target.Port, dead, alive);

        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, _timeout / 2);
        Assert.Equal((target, true, 0), ((IPEndPoint)socket.RemoteEndPoint!, socket.NoDelay, hole.Knocking));
    }

    [Fact]
    public async Task Addresses_that_refuse_are_named()
    {
        // Bound, so that nobody else listens there, but not listening.
        using var first = Bind(IPAddress.Parse("127.0.0.1"));
        var port = ((IPEndPoint)first.LocalEndPoint!).Port;
        using var second = Bind(IPAddress.Parse("127.0.0.2"), port);

        var failure = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(port, "127.0.0.1", "127.0.0.2"));

        var refused = new SocketException((int)SocketError.ConnectionRefused).Message;
        Assert.Equal($"127.0.0.1:{port}: {refused}; 127.0.0.2:{port}: {refused}", failure.Message);
        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
    }

    [Fact]
    public async Task Addresses_that_swallow_packets_are_named_when_the_time_is_over()
    {
        using var first = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.2"));
        using var second = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.3"), first.Address.Port);

        var failure = await Assert.ThrowsAsync<SocketException>(
            () => Race("127.0.0.2", "127.0.0.3").ConnectAsync(Name(first.Address.Port), TimeSpan.FromMilliseconds(400), CancellationToken.None));

        Assert.Matches($@"^127\.0\.0\.2:{first.Address.Port}: no answer in \d+ ms; 127\.0\.0\.3:{first.Address.Port}: no answer in \d+ ms$", failure.Message);
        Assert.Equal((0, 0), (first.Knocking, second.Knocking));
    }

    [Fact]
    public async Task A_caller_that_cancels_leaves_no_connection_under_way()
    {
        using var hole = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.2"));
        using var cancelled = new CancellationTokenSource();
        var connecting = Race("127.0.0.2").ConnectAsync(Name(hole.Address.Port), _timeout, cancelled.Token);
        await Eventually.True(() => hole.Knocking == 1);

        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        Assert.Equal(0, hole.Knocking);
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    [InlineData("[::1]", "::1")]
    public async Task An_address_in_place_of_a_name_is_not_looked_up(string host, string address)
    {
        using var listener = Listen(IPAddress.Parse(address));
        var target = (IPEndPoint)listener.LocalEndPoint!;
        var race = new AddressRace((_, _) => throw new InvalidOperationException("Looked up."));

        using var socket = await race.ConnectAsync(new DnsEndPoint(host, target.Port), _timeout, CancellationToken.None);

        Assert.Equal(target, socket.RemoteEndPoint);
    }

    [Fact]
    public async Task The_systems_resolver_is_asked_by_default()
    {
        using var listener = Listen(IPAddress.Loopback);
        var target = (IPEndPoint)listener.LocalEndPoint!;

        using var socket = await new AddressRace().ConnectAsync(new DnsEndPoint("localhost", target.Port), _timeout, CancellationToken.None);

        Assert.Equal(target, socket.RemoteEndPoint);
    }

    [Fact]
    public async Task Of_two_that_connect_at_once_one_is_left_open()
    {
        using var first = Listen(IPAddress.Loopback);
        using var second = Listen(IPAddress.Parse("127.0.0.2"), ((IPEndPoint)first.LocalEndPoint!).Port);
        var connected = 0;
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var race = new AddressRace(Resolve("127.0.0.1", "127.0.0.2"), async (address, _) =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(address);
            if (Interlocked.Increment(ref connected) == 2)
            {
                both.SetResult();
            }

            await both.Task;
            return socket;
        });

        using var winner = await race.ConnectAsync(Name(((IPEndPoint)first.LocalEndPoint!).Port), _timeout, CancellationToken.None);

        using var atFirst = await first.AcceptAsync();
        using var atSecond = await second.AcceptAsync();
        var (open, closed) = winner.RemoteEndPoint!.Equals(first.LocalEndPoint) ? (atFirst, atSecond) : (atSecond, atFirst);
        Assert.Equal(0, await closed.ReceiveAsync(new byte[1]));
        await winner.SendAsync(new byte[1]);
        Assert.Equal(1, await open.ReceiveAsync(new byte[1]));
    }

    private static Task<Socket> ConnectAsync(int port, params string[] addresses) =>
        Race(addresses).ConnectAsync(Name(port), _timeout, CancellationToken.None);

    private static AddressRace Race(params string[] addresses) => new(Resolve(addresses));

    private static Func<string, CancellationToken, Task<IPAddress[]>> Resolve(params string[] addresses) =>
        (_, _) => Task.FromResult(addresses.Select(IPAddress.Parse).ToArray());

    private static DnsEndPoint Name(int port) => new("leader.example", port);

    private static Socket Listen(IPAddress address, int port = 0)
    {
        var listener = Bind(address, port);
        listener.Listen();
        return listener;
    }

    private static Socket Bind(IPAddress address, int port = 0)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, port));
        return socket;
    }
}
