using System.Net;
using Ha.Heartbeat;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Forwarding;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Http;

/// <summary>A member's name has two addresses, and packets to the preferred one vanish: what travels between nodes gets through.</summary>
public sealed class BlackHoleTests
{
    private const string Name = "leader.example";

    // The dead address alone would use up all of it.
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task A_write_gets_to_the_leader()
    {
        await using var leader = await TestNode.LeaderAsync(static app => app.MapPost("/notes", static () => "written"));
        using var hole = await BlackHole.OpenAsync(IPAddress.IPv6Loopback, leader.Port);
        await using var follower = await FollowerAsync(_timeout, leader.Port, IPAddress.IPv6Loopback, IPAddress.Loopback);
        using var client = new HttpClient();
        using var body = new StringContent("x");

        using var answer = await client.PostAsync(new Uri($"{follower.Url}/notes"), body);

        Assert.Equal("written", await answer.Content.ReadAsStringAsync());
        Assert.DoesNotContain(follower.Logs.Entries, static entry => entry.Id == 1201);
    }

    [Fact]
    public async Task Where_all_addresses_are_dead_the_log_names_each()
    {
        using var first = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.2"));
        using var second = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.3"), first.Address.Port);
        await using var follower = await FollowerAsync(_timeout / 10, first.Address.Port, first.Address.Address, second.Address.Address);
        using var client = new HttpClient();
        using var body = new StringContent("x");

        using var answer = await client.PostAsync(new Uri($"{follower.Url}/notes"), body);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Headers.GetValues("X-Base-Not-Executed").Single());
        var text = follower.Logs.Entries.First(static entry => entry.Id == 1201).Text;
        Assert.Matches($@"127\.0\.0\.2:{first.Address.Port}: no answer in \d+ ms; 127\.0\.0\.3:{first.Address.Port}: no answer in \d+ ms", text);
    }

    [Fact]
    public async Task A_heartbeat_gets_to_its_peer()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        var port = new Uri(host.Url).Port;
        using var hole = await BlackHole.OpenAsync(IPAddress.IPv6Loopback, port);

        var exchange = await BeatAsync(port, IPAddress.IPv6Loopback, IPAddress.Loopback);

        Assert.Equal(BeatExchange.Answered(Beats.Reply()), exchange);
    }

    [Fact]
    public async Task A_heartbeat_that_reaches_no_address_names_each()
    {
        using var first = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.2"));
        using var second = await BlackHole.OpenAsync(IPAddress.Parse("127.0.0.3"), first.Address.Port);

        var exchange = await BeatAsync(first.Address.Port, first.Address.Address, second.Address.Address);

        Assert.Equal(ExchangeFailure.Unreachable, exchange.Failure);
        Assert.Contains("127.0.0.2:", exchange.Detail, StringComparison.Ordinal);
        Assert.Contains("127.0.0.3:", exchange.Detail, StringComparison.Ordinal);
    }

    private static Task<TestNode> FollowerAsync(TimeSpan lease, int port, params IPAddress[] addresses) =>
        TestNode.ProxyAsync($"http://{Name}:{port}", new TestNodeSetup
        {
            Resolve = (_, _) => Task.FromResult(addresses),
            Options = options => (options.HeartbeatInterval, options.LeaseTimeout, options.WriteHold) = (lease / 4, lease, 2 * lease),
        });

    private static async Task<BeatExchange> BeatAsync(int port, params IPAddress[] addresses)
    {
        using var members = new MemberAddresses((_, _) => Task.FromResult(addresses));
        using var handler = PeerHandler.Create(TimeSpan.FromSeconds(1), addresses: members);
        using var client = new PeerClient(handler, new KeySource(Rings.Old));
        using var limit = new CancellationTokenSource(_timeout);
        return await client.SendAsync($"http://{Name}:{port}", Beats.Request(), limit.Token);
    }
}
