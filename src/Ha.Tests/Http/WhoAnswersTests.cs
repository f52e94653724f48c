using System.Net;
using System.Net.Sockets;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Http;
using Ha.Security;
using Ha.Tests.Forwarding;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Http;

/// <summary>What each answer to a heartbeat at a member's URL says of who is there, and so whether forwarded requests go there.</summary>
public sealed class WhoAnswersTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(20);

    private static readonly Dictionary<string, Func<HttpContext, Task>> _pages = new(StringComparer.Ordinal)
    {
        ["a page"] = http => http.Response.WriteAsync("<html>"),
        ["a large page"] = http => http.Response.WriteAsync(new string(' ', BeatJson.MaxBodyBytes + 1)),
        ["a closed connection"] = http =>
        {
            http.Abort();
            return Task.CompletedTask;
        },
        ["a fixed leader of this cluster"] = HeartbeatRefusal.FixedLeader("default").WriteAsync,
        ["a fixed leader of another cluster"] = HeartbeatRefusal.FixedLeader("staging").WriteAsync,
    };

    private readonly MemberAddresses _members;
    private readonly ManualTime _time = new();
    private int _lookups;
    private HttpMessageHandler? _handler;
    private HeartbeatHost? _host;
    private Func<HttpContext, RequestDelegate, Task> _answer = static (http, member) => member(http);
    private NodeFacts _facts = Beats.Facts("node-2");

    public WhoAnswersTests() => _members = new MemberAddresses(
        (_, _) =>
        {
            Interlocked.Increment(ref _lookups);
            return Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        },
        _time);

    private Uri Url => new($"http://leader.example:{new Uri(_host!.Url).Port}");

    private NodeFacts Itself => Beats.Facts("node-2") with { Target = Url.GetLeftPart(UriPartial.Authority) };

    public async Task InitializeAsync()
    {
        _handler = PeerHandler.Create(_timeout, addresses: _members);
        _host = await HeartbeatHost.StartAsync(
            Rings.Old,
            beat => Beats.Reply(_facts.ClusterId == "default" ? BeatStatus.Ok : BeatStatus.OtherCluster, beat.Seq) with { From = _facts },
            (http, member) => _answer(http, member));
        await ItselfAsync();
    }

    public async Task DisposeAsync() => await _host!.DisposeAsync();

    public void Dispose()
    {
        _handler?.Dispose();
        _members.Dispose();
    }

    [Theory]
    [InlineData("200", "unverified")]
    [InlineData("204", "unexpected_status")]
    [InlineData("307", "unexpected_status")]
    [InlineData("400", "unexpected_status")]
    [InlineData("401", "unauthorized")]
    [InlineData("403", "unverified")]
    [InlineData("404", "unexpected_status")]
    [InlineData("405", "unexpected_status")]
    [InlineData("409", "unverified")]
    [InlineData("500", "unexpected_status")]
    [InlineData("501", "unexpected_status")]
    [InlineData("a page", "unverified")]
    [InlineData("a large page", "too_large")]
    [InlineData("a fixed leader of another cluster", "unverified")]
    public async Task Whoever_answers_and_is_not_known_for_the_member_gets_no_request(string answer, string reason)
    {
        var version = _members.VersionOf(Url.IdnHost, Url.Port);

        Assert.Equal(reason, await HearAsync(answer));
        await RefusedAsync();
        Assert.NotSame(version, _members.VersionOf(Url.IdnHost, Url.Port));

        await ItselfAsync();
        await TakenAsync();
    }

    [Fact]
    public async Task Another_member_and_another_cluster_with_the_same_key_are_not_the_member()
    {
        _facts = Beats.Facts("node-3");
        Assert.Equal("none", await BeatAsync(Rings.Old));
        await RefusedAsync();
        await ItselfAsync();

        _facts = Itself with { ClusterId = "staging" };
        Assert.Equal("none", await BeatAsync(Rings.Old));
        await RefusedAsync();
    }

    [Fact]
    public async Task A_page_is_not_the_member_where_nothing_is_signed()
    {
        _answer = (http, _) => _pages["a page"](http);
        Assert.Equal("malformed", await BeatAsync(Rings.Unsigned));
        await RefusedAsync();
    }

    [Fact]
    public async Task Who_speaks_in_the_members_name_with_another_members_key_is_not_the_member()
    {
        string[] all = ["node-1", "node-2", "node-3"];
        await using var other = await HeartbeatHost.StartAsync(NodeKeys.Ring("node-3", all));
        var port = new Uri(other.Url).Port;
        using var client = new PeerClient(_handler!, new KeySource(NodeKeys.Ring("node-1", all)), _members);

        var exchange = await client.SendAsync($"http://leader.example:{port}", Beats.Request(), CancellationToken.None);

        Assert.Equal("wrong_node", exchange.Reason);
        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(port));
    }

    [Theory]
    [InlineData("408", "unavailable")]
    [InlineData("429", "unavailable")]
    [InlineData("502", "unavailable")]
    [InlineData("503", "unavailable")]
    [InlineData("504", "unavailable")]
    [InlineData("a closed connection", "broken")]
    [InlineData("a fixed leader of this cluster", "fixed_leader")]
    public async Task What_tells_nothing_of_who_is_there_changes_nothing_but_has_the_name_looked_up(string answer, string reason)
    {
        var (version, lookups) = (_members.VersionOf(Url.IdnHost, Url.Port), _lookups);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(reason, await HearAsync(answer));
        await Eventually.True(() => _lookups > lookups);
        await TakenAsync();
        Assert.Same(version, _members.VersionOf(Url.IdnHost, Url.Port));

        await HearAsync("404");
        Assert.Equal(reason, await HearAsync(answer));
        await RefusedAsync();
    }

    private Task<string> HearAsync(string answer)
    {
        _answer = _pages.TryGetValue(answer, out var page) ? (http, _) => page(http) : (http, _) =>
        {
            http.Response.StatusCode = int.Parse(answer, System.Globalization.CultureInfo.InvariantCulture);
            return Task.CompletedTask;
        };
        return BeatAsync(Rings.Old);
    }

    private async Task ItselfAsync()
    {
        _answer = static (http, member) => member(http);
        _facts = Itself;
        Assert.Equal("none", await BeatAsync(Rings.Old));
    }

    private async Task<string> BeatAsync(KeyRing keys)
    {
        using var client = new PeerClient(_handler!, new KeySource(keys), _members);
        using var limit = new CancellationTokenSource(_timeout);
        return (await client.SendAsync(Itself.Target, Beats.Request(), limit.Token)).Reason;
    }

    private async Task TakenAsync() => (await ConnectAsync(Url.Port)).Dispose();

    private async Task RefusedAsync()
    {
        var failure = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(Url.Port));
        Assert.StartsWith("somebody else answers heartbeats", failure.Message, StringComparison.Ordinal);
    }

    private Task<Socket> ConnectAsync(int port) =>
        _members.ConnectAsync(new DnsEndPoint("leader.example", port), _timeout, forRequests: true, CancellationToken.None);
}
