using System.Net;
using System.Net.Sockets;
using Ha.Heartbeat;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Forwarding;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Http;

/// <summary>
/// The leader is at another address, or somebody else is at its own, while a follower has a connection there: forwarding goes by what
/// heartbeats find out.
/// </summary>
public sealed class MovedLeaderTests
{
    private const string Name = "leader.example";
    private static readonly IPAddress _old = IPAddress.Parse("127.0.0.2");
    private static readonly TimeSpan _beat = TimeSpan.FromMilliseconds(300);

    [Fact]
    public async Task Writes_reach_a_leader_that_moved_and_what_hangs_at_a_dead_address_ends_unrepeated()
    {
        var executed = 0;
        await using var leader = await TestNode.LeaderAsync(app => app.MapPost("/notes", () => Interlocked.Increment(ref executed)));
        using var hole = new Silence(_old, leader.Port);
        var asked = 0;

        // Asked for the write's connection, and when that answer is a second old.
        using var members = new MemberAddresses((_, _) => Task.FromResult<IPAddress[]>([++asked < 2 ? _old : IPAddress.Loopback]));
        await using var follower = await FollowerAsync(leader.Port, members);
        using var client = new HttpClient();

        // Connected, sent, and nothing comes back.
        var hanging = PostAsync(client, follower.Url);
        await hole.HearsAsync();
        using var handler = PeerHandler.Create(_beat, addresses: members);
        var version = members.VersionOf(Name, leader.Port);
        Assert.Equal(ExchangeFailure.Unreachable, (await BeatAsync(handler, members, leader.Port)).Failure);
        await Eventually.True(() =>
        {
            members.Silent(new Uri($"http://{Name}:{leader.Port}"));
            return members.VersionOf(Name, leader.Port) != version;
        });

        Assert.Equal(HttpStatusCode.OK, await PostAsync(client, follower.Url));
        Assert.Equal(HttpStatusCode.BadGateway, await hanging.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(1, executed);
    }

    [Fact]
    public async Task A_stranger_at_the_leaders_address_gets_no_write_once_it_has_answered_a_heartbeat()
    {
        var executed = 0;
        await using var stranger = await TestNode.LeaderAsync(app => app.MapPost("/notes", () => Interlocked.Increment(ref executed)));
        using var members = new MemberAddresses(static (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]));
        await using var follower = await FollowerAsync(stranger.Port, members);
        using var client = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, await PostAsync(client, follower.Url));
        using var handler = PeerHandler.Create(_beat * 10, addresses: members);

        var exchange = await BeatAsync(handler, members, stranger.Port);

        Assert.Equal(ExchangeFailure.UnexpectedStatus, exchange.Failure);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await PostAsync(client, follower.Url));
        Assert.Equal(1, executed);
        Assert.Contains(follower.Logs.Entries, static entry => entry.Id == 1201 && entry.Text.Contains("somebody else answers heartbeats"));
    }

    [Fact]
    public async Task Another_member_at_the_leaders_address_is_a_stranger_too()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var members = new MemberAddresses(static (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]));
        using var handler = PeerHandler.Create(_beat * 10, addresses: members);
        var port = new Uri(host.Url).Port;

        // It says of itself that it is elsewhere.
        var exchange = await BeatAsync(handler, members, port);

        Assert.Equal(ExchangeFailure.None, exchange.Failure);
        await Assert.ThrowsAsync<SocketException>(
            () => members.ConnectAsync(new DnsEndPoint(Name, port), _beat, forRequests: true, CancellationToken.None));
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient client, string url)
    {
        using var body = new StringContent("x");
        using var answer = await client.PostAsync(new Uri($"{url}/notes"), body);
        return answer.StatusCode;
    }

    private static Task<TestNode> FollowerAsync(int port, MemberAddresses members) =>
        TestNode.ProxyAsync($"http://{Name}:{port}", new TestNodeSetup
        {
            Addresses = members,
            Options = static options => (options.HeartbeatInterval, options.LeaseTimeout, options.WriteHold) =
                (_beat, 3 * _beat, TimeSpan.FromSeconds(1)),
        });

    private static async Task<BeatExchange> BeatAsync(HttpMessageHandler handler, MemberAddresses members, int port)
    {
        using var client = new PeerClient(handler, new KeySource(Rings.Old), members);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        return await client.SendAsync($"http://{Name}:{port}", Beats.Request(), limit.Token);
    }

    /// <summary>Has taken one connection and swallows all that comes; further connections are never made.</summary>
    private sealed class Silence : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly List<Socket> _sockets = [];

        public Silence(IPAddress address, int port)
        {
            _listener.Bind(new IPEndPoint(address, port));
            _listener.Listen(backlog: 0);
        }

        /// <summary>Waits for the first bytes, then fills the queue, so that Linux drops each SYN.</summary>
        public async Task HearsAsync()
        {
            var taken = await _listener.AcceptAsync();
            _sockets.Add(taken);
            Assert.NotEqual(0, await taken.ReceiveAsync(new byte[1]));
            for (var i = 0; i < 4; i++)
            {
                var filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _sockets.Add(filler);
                var connecting = filler.ConnectAsync(_listener.LocalEndPoint!);
                if (i == 0)
                {
                    await connecting;
                }
                else
                {
                    _ = connecting.ContinueWith(
                        static failed => failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
                }
            }
        }

        public void Dispose()
        {
            _sockets.ForEach(static socket => socket.Dispose());
            _listener.Dispose();
        }
    }
}
