using System.Net;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

/// <summary>What clients meet while no leader is known, over real sockets.</summary>
public sealed class HoldTests
{
    private static readonly Action<WebApplication> _here = app => app.Run(async context =>
    {
        using var reader = new StreamReader(context.Request.Body);
        await context.Response.WriteAsync("here " + await reader.ReadToEndAsync());
    });

    [Fact]
    public async Task A_held_write_is_redirected_when_a_leader_appears()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup());
        using var client = TestNode.Client();

        var answer = await HeldAsync(node, client.PostAsync(node.Url + "/x", new StringContent("body")), () => node.Leadership.Follow("http://leader"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal(1, node.Metrics.Totals.Writes(Ha.Telemetry.WriteOutcome.Held));
        Assert.Equal(1, node.Metrics.Totals.Writes(Ha.Telemetry.WriteOutcome.Redirected));
    }

    [Fact]
    public async Task A_held_write_is_forwarded_when_a_leader_appears()
    {
        await using var leader = await TestNode.LeaderAsync(_here);
        await using var node = await TestNode.ProxyAsync(leader.Url);
        node.Leadership.LoseLeader();
        using var client = TestNode.Client();

        var answer = await HeldAsync(node, client.PostAsync(node.Url, new StringContent("body")), () => node.Leadership.Follow(leader.Url, epoch: 2));

        Assert.Equal("here body", await answer.Content.ReadAsStringAsync());
        Assert.Equal(1, node.Metrics.Totals.Writes(Ha.Telemetry.WriteOutcome.Forwarded));
    }

    [Theory]
    [InlineData(ForwardMode.Redirect)]
    [InlineData(ForwardMode.Proxy)]
    public async Task A_held_write_runs_here_when_this_node_becomes_the_leader(ForwardMode mode)
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { App = _here, Options = o => o.ForwardMode = mode });
        using var client = TestNode.Client();

        var answer = await HeldAsync(node, client.PostAsync(node.Url, new StringContent("body")), () => node.Leadership.Lead());

        Assert.Equal("here body", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(true, "0")]
    [InlineData(true, "hold")]
    [InlineData(false, "0")]
    public async Task A_write_that_finds_no_leader_reads_why_where_nodes_may_be_named(bool publicInfo, string hold)
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            Options = o => (o.PublicInfo, o.WriteHold) = (publicInfo, hold is "0" ? TimeSpan.Zero : TimeSpan.FromMilliseconds(50)),
        });
        node.Leadership.LoseLeader("http://b was never heard");
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url, new StringContent("body"));

        var detail = (await answer.JsonAsync()).GetProperty("detail").GetString();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(publicInfo, detail!.EndsWith("Nothing was executed. Nobody leads: http://b was never heard.", StringComparison.Ordinal));
        Assert.Equal(publicInfo, detail.Contains("http://b", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_leader_that_hands_over_holds_and_then_points_to_its_successor()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { App = _here });
        node.Leadership.Lead();
        node.Leadership.Drain();
        using var client = TestNode.Client();

        var answer = await HeldAsync(node, client.PostAsync(node.Url + "/x", new StringContent("body")), () => node.Leadership.Follow("http://next", epoch: 2));

        Assert.Equal("http://next/x", answer.Header("Location"));
        Assert.Equal(0, node.Gate.Inside);
    }

    [Fact]
    public async Task A_handover_that_is_called_off_lets_the_held_in()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { App = _here });
        node.Leadership.Lead(admits: false);
        using var client = TestNode.Client();

        var answer = await HeldAsync(node, client.PostAsync(node.Url, new StringContent("body")), () => node.Leadership.Lead());

        Assert.Equal("here body", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(ForwardMode.Redirect)]
    [InlineData(ForwardMode.Proxy)]
    public async Task Without_a_leader_in_the_end_a_write_is_refused_with_an_invitation(ForwardMode mode)
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            Options = o =>
            {
                o.ForwardMode = mode;
                o.WriteHold = TimeSpan.FromMilliseconds(50);
            },
        });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url, new StringContent("body"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Header("Retry-After"));
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.ToString());
        var body = await answer.JsonAsync();
        Assert.Equal("no leader", body.GetProperty("error").GetString());
        Assert.False(body.GetProperty("leader_known").GetBoolean());
        Assert.Equal(503, body.GetProperty("status").GetInt32());
        Assert.Equal(1, node.Metrics.Totals.Writes(Ha.Telemetry.WriteOutcome.Refused));
    }

    [Fact]
    public async Task A_hold_of_zero_refuses_at_once()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { Options = o => o.WriteHold = TimeSpan.Zero });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url, content: null);

        Assert.Equal("no leader", await answer.ErrorAsync());
        Assert.Equal(0, node.Metrics.Totals.Writes(Ha.Telemetry.WriteOutcome.Held));
    }

    [Fact]
    public async Task Writes_beyond_the_places_are_refused_at_once_and_the_held_go_on()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { App = _here, Options = o => o.WriteHoldMax = 3 });
        using var client = TestNode.Client();
        var held = Enumerable.Range(0, 3).Select(_ => client.PostAsync(node.Url, content: null)).ToList();
        await Eventually.True(() => node.Hold.Held == 3);

        using var refused = await client.PostAsync(node.Url, content: null);
        node.Leadership.Lead();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", refused.Header("Retry-After"));
        Assert.All(await Task.WhenAll(held), static answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
    }

    [Fact]
    public async Task A_held_client_that_goes_away_frees_its_place()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup());
        using var connection = await RawConnection.ConnectAsync(node.Port);
        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        await Eventually.True(() => node.Hold.Held == 1);

        connection.Reset();

        await Eventually.True(() => node.Hold.Held == 0);
    }

    [Fact]
    public async Task The_end_of_a_shutdown_releases_the_held()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup());
        using var client = TestNode.Client();

        var answer = await HeldAsync(node, client.PostAsync(node.Url, content: null), node.Hold.Stop);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("no leader", await answer.ErrorAsync());
    }

    [Fact]
    public async Task A_held_body_stays_unread()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup());
        using var connection = await RawConnection.ConnectAsync(node.Port);
        await connection.SendAsync("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        await Eventually.True(() => node.Hold.Held == 1);

        node.Leadership.Follow("http://leader");
        var answer = await connection.ReceiveUntilAsync("\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 307", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reads_are_served_meanwhile()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { App = _here });
        using var client = TestNode.Client();

        Assert.Equal("here ", await client.GetStringAsync(node.Url));
    }

    private static async Task<HttpResponseMessage> HeldAsync(TestNode node, Task<HttpResponseMessage> answer, Action release)
    {
        await Eventually.True(() => node.Hold.Held == 1);
        Assert.False(answer.IsCompleted);
        release();
        return await answer.WaitAsync(TimeSpan.FromSeconds(20));
    }
}
