using System.Net;
using System.Net.Sockets;
using Ha.Http;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;

namespace Ha.Tests.Http;

/// <summary>When a name is looked up, what counts as a move, and what becomes of connections, on virtual time and loopback.</summary>
public sealed class MemberAddressesTests : IDisposable
{
    private const string Name = "leader.example";
    private static readonly IPAddress _old = IPAddress.Parse("127.0.0.2");
    private static readonly IPAddress _new = IPAddress.Parse("127.0.0.3");

    private readonly ManualTime _time = new();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _open = [];
    private readonly MemberAddresses _members;
    private Func<Task<IPAddress[]>> _answer = static () => Task.FromResult<IPAddress[]>([_old]);
    private Func<IPEndPoint, CancellationToken, Task<Socket>> _attempt;
    private int _asked;

    public MemberAddressesTests()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        _listener.Listen();
        _attempt = static async (address, cancellation) =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(address, cancellation);
            return socket;
        };
        _members = new MemberAddresses(
            (_, _) =>
            {
                Interlocked.Increment(ref _asked);
                return _answer();
            },
            _time,
            (address, cancellation) => _attempt(address, cancellation));
    }

    private int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    private Uri Url => new($"http://{Name}:{Port}");

    public void Dispose()
    {
        _open.ForEach(static socket => socket.Dispose());
        _listener.Dispose();
        _members.Dispose();
    }

    [Fact]
    public async Task A_name_that_moved_is_noticed_within_thirty_seconds_while_all_is_well()
    {
        await ConnectAsync();
        var version = _members.VersionOf(Name, Port);
        Moved();

        _time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.Equal((1, version), (_asked, _members.VersionOf(Name, Port)));
        _time.Advance(TimeSpan.FromSeconds(0.1));

        await Eventually.True(() => _members.VersionOf(Name, Port) != version);
        Assert.Equal(_new, (await ConnectAsync()).Address);
    }

    [Fact]
    public async Task A_name_that_moved_is_noticed_at_once_when_a_heartbeat_is_not_answered()
    {
        await ConnectAsync();
        var version = _members.VersionOf(Name, Port);
        MovedASecondLater();

        _members.Silent(Url);

        await Eventually.True(() => _members.VersionOf(Name, Port) != version);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_dead_member_is_looked_up_once_a_second_however_often_it_is_called(bool found)
    {
        var failure = new SocketException((int)SocketError.HostNotFound);
        _answer = () => found ? Task.FromResult<IPAddress[]>([_old]) : Task.FromException<IPAddress[]>(failure);
        _attempt = static (_, _) => Task.FromException<Socket>(new SocketException((int)SocketError.ConnectionRefused));
        for (var beat = 0; beat < 100; beat++)
        {
            await Assert.ThrowsAnyAsync<SocketException>(() => ConnectAsync());
            _members.Silent(Url);
            _members.Answered(Url, byMember: false);
            _members.Answered(Url, byMember: true);
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }

        Assert.Equal(5, _asked);
    }

    [Theory]
    [InlineData("127.0.0.3", "127.0.0.2")]
    [InlineData("::1", "127.0.0.2")]
    [InlineData("127.0.0.2")]
    [InlineData]
    [InlineData("fails")]
    public async Task Another_order_a_further_address_no_answer_and_a_failure_are_no_move(params string[] answer)
    {
        _answer = static () => Task.FromResult<IPAddress[]>([_old, _new]);
        Assert.Equal(_old, (await ConnectAsync()).Address);
        var version = _members.VersionOf(Name, Port);
        _answer = () => answer is ["fails"]
            ? Task.FromException<IPAddress[]>(new SocketException((int)SocketError.TryAgain))
            : Task.FromResult<IPAddress[]>([.. answer.Select(IPAddress.Parse)]);

        _time.Advance(TimeSpan.FromSeconds(30));
        await Eventually.True(() => _asked == 2);
        await ConnectAsync();

        Assert.Same(version, _members.VersionOf(Name, Port));
    }

    [Fact]
    public async Task A_resolver_that_hangs_costs_an_eighth_of_the_time_and_one_lookup_in_thirty_seconds()
    {
        await ConnectAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        _answer = static () => new TaskCompletionSource<IPAddress[]>().Task;

        var connecting = ConnectAsync();
        await Eventually.True(() => _asked == 2 && _time.Armed == 3);
        _time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.False(connecting.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(_old, (await connecting).Address);
        _members.Silent(Url);
        _members.Silent(Url);

        Assert.Equal(2, _asked);
        Moved();
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(2, _asked);
        _time.Advance(TimeSpan.FromSeconds(30));
        await Eventually.True(() => _asked == 3);
    }

    [Fact]
    public async Task What_a_lookup_says_that_was_overtaken_does_not_count()
    {
        await ConnectAsync();
        var late = new TaskCompletionSource<IPAddress[]>();
        _answer = () => late.Task;
        _time.Advance(TimeSpan.FromSeconds(1));
        _members.Silent(Url);
        await Eventually.True(() => _asked == 2);
        _answer = static () => Task.FromResult<IPAddress[]>([_old]);
        _time.Advance(TimeSpan.FromSeconds(30));
        await ConnectAsync();
        var version = _members.VersionOf(Name, Port);

        late.SetResult([_new]);

        // On what the late answer runs, so that it has been taken when this returns.
        await late.Task;
        Assert.Equal(_old, (await ConnectAsync()).Address);
        Assert.Same(version, _members.VersionOf(Name, Port));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_to_a_lost_address_is_shut_down_only_where_the_address_swallows_packets(bool swallows)
    {
        await ConnectAsync();
        var old = _open.Single();
        var probed = new TaskCompletionSource();
        var attempt = _attempt;
        _attempt = async (address, cancellation) =>
        {
            if (!address.Address.Equals(_old))
            {
                return await attempt(address, cancellation);
            }

            probed.SetResult();
            if (swallows)
            {
                await Task.Delay(Timeout.Infinite, cancellation);
            }

            throw new SocketException((int)SocketError.ConnectionRefused);
        };
        MovedASecondLater();
        _members.Silent(Url);
        await probed.Task;

        var ended = old.ReceiveAsync(new byte[1]);
        _time.Advance(TimeSpan.FromSeconds(3));

        if (swallows)
        {
            Assert.Equal(0, await ended);
        }
        else
        {
            Assert.Equal(_new, (await ConnectAsync()).Address);
            Assert.False(ended.IsCompleted);
        }
    }

    [Fact]
    public async Task Where_somebody_else_answers_no_request_is_sent_until_the_member_answers_again()
    {
        await ConnectAsync();
        var version = _members.VersionOf(Name, Port);

        _members.Answered(Url, byMember: false);
        var dropped = _members.VersionOf(Name, Port);
        _members.Answered(Url, byMember: false);

        Assert.NotSame(version, dropped);
        Assert.Same(dropped, _members.VersionOf(Name, Port));
        var failure = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync());
        Assert.Equal($"somebody else answers heartbeats at {Name}:{Port}", failure.Message);
        await ConnectAsync(forRequests: false);

        _members.Answered(Url, byMember: true);

        await ConnectAsync();
        Assert.Same(dropped, _members.VersionOf(Name, Port));
    }

    private void MovedASecondLater()
    {
        Moved();
        _time.Advance(TimeSpan.FromSeconds(1));
    }

    private void Moved() => _answer = static () => Task.FromResult<IPAddress[]>([_new]);

    private async Task<IPEndPoint> ConnectAsync(bool forRequests = true)
    {
        var socket = await _members.ConnectAsync(
            new DnsEndPoint(Name, Port), TimeSpan.FromMilliseconds(800), forRequests, CancellationToken.None);
        _open.Add(socket);
        return (IPEndPoint)socket.RemoteEndPoint!;
    }
}
