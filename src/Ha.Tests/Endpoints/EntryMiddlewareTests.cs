using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Ha.Http;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Moq;

namespace Ha.Tests.Endpoints;

public sealed class EntryMiddlewareTests
{
    [Fact]
    public async Task Every_response_tells_leader_epoch_and_node()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        foreach (var path in new[] { "/anything", "/_ha", "/_ha/leader", "/_ha/healthz", "/_ha/nothing" })
        {
            using var response = await client.GetAsync(path);
            Assert.Equal("https://node-a.example", Header(response, HaHeaders.Leader));
            Assert.Equal("1753000000000001", Header(response, HaHeaders.Epoch));
            Assert.Equal("node-b", Header(response, HaHeaders.Node));
        }
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task Once_the_process_leaves_each_answer_is_the_last_on_its_connection(HttpProtocols protocol)
    {
        using var leaving = new CancellationTokenSource();
        await using var node = new TestNode { Stopping = leaving.Token };
        await using var app = WebApplication.CreateSlimBuilder().Build();
        var ports = new ConcurrentQueue<int>();
        node.App = context =>
        {
            ports.Enqueue(context.Connection.RemotePort);
            return Task.CompletedTask;
        };
        node.Configure(app);
        ((IApplicationBuilder)app).ServerFeatures.Get<IServerAddressesFeature>()!.Addresses.Add("http://127.0.0.1:0");
        app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.ConfigureEndpointDefaults(listen => listen.Protocols = protocol);
        await app.StartAsync();
        using var client = new HttpClient
        {
            BaseAddress = new Uri(app.Urls.Single()),
            DefaultRequestVersion = protocol == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var first = await client.GetAsync("/");
        using var second = await client.GetAsync("/");
        await leaving.CancelAsync();
        using var last = await client.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, last.StatusCode);
        Assert.Single(ports.Distinct());

        // A frame says so over HTTP/2, which may come a moment after the answer.
        await Eventually.True(async () =>
        {
            using var another = await client.GetAsync("/");
            return ports.Distinct().Count() > 1;
        });
    }

    [Fact]
    public async Task Without_a_leader_the_header_is_absent_and_the_epoch_zero()
    {
        await using var node = new TestNode(leader: null);
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/");
        Assert.Null(Header(response, HaHeaders.Leader));
        Assert.Equal("0", Header(response, HaHeaders.Epoch));
        Assert.Equal("node-b", Header(response, HaHeaders.Node));
    }

    [Fact]
    public async Task A_lease_that_ran_out_names_nobody()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        node.Clock.Advance(TimeSpan.FromSeconds(2));
        using var response = await client.GetAsync("/");
        Assert.Null(Header(response, HaHeaders.Leader));
        Assert.Equal("0", Header(response, HaHeaders.Epoch));
    }

    [Fact]
    public async Task The_leader_is_the_one_at_the_time_of_the_response()
    {
        await using var node = new TestNode(leader: null);
        node.App = context =>
        {
            node.Provider.Current = node.Snapshot("node-b", "node-c", epoch: 77);
            context.Response.Headers[HaHeaders.Leader] = "https://liar.example";
            return context.Response.WriteAsync("held and done");
        };
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/");
        Assert.Equal("https://node-c.example", Header(response, HaHeaders.Leader));
        Assert.Equal("77", Header(response, HaHeaders.Epoch));
    }

    [Fact]
    public async Task Without_public_info_no_header_tells_of_members()
    {
        await using var node = new TestNode();
        node.Settings = node.Settings with { PublicInfo = false };
        node.App = context =>
        {
            // What a proxied answer of the leader would bring along, and what only the middleware may say.
            context.Response.Headers[HaHeaders.Leader] = "https://node-a.example";
            context.Response.Headers[HaHeaders.Epoch] = "5";
            context.Response.Headers[HaHeaders.Node] = "node-a";
            context.Response.Headers[HaHeaders.NotExecuted] = "1";
            return context.Response.WriteAsync("x");
        };
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/");
        Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("X-Base-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task An_app_cannot_promise_that_nothing_was_executed()
    {
        await using var node = new TestNode();
        node.App = context =>
        {
            context.Response.OnStarting(() =>
            {
                context.Response.Headers[HaHeaders.NotExecuted] = "1";
                return Task.CompletedTask;
            });
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return Task.CompletedTask;
        };
        using var client = await node.StartAsync();
        using var response = await client.PostAsync("/", content: null);
        Assert.Null(Header(response, HaHeaders.NotExecuted));
    }

    [Fact]
    public async Task The_plugin_can_promise_that_nothing_was_executed()
    {
        await using var node = new TestNode();
        node.App = context =>
        {
            NotExecutedMark.Set(context);
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return Task.CompletedTask;
        };
        using var client = await node.StartAsync();
        using var response = await client.PostAsync("/", content: null);
        Assert.Equal("1", Header(response, HaHeaders.NotExecuted));
    }

    [Fact]
    public async Task A_request_cannot_bring_the_promise_in()
    {
        await using var node = new TestNode();
        var seen = "";
        node.App = context =>
        {
            seen = string.Join(',', context.Request.Headers.Keys);
            return Task.CompletedTask;
        };
        using var client = await node.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add(HaHeaders.NotExecuted, "1");
        request.Headers.Add("X-Other", "1");
        using var response = await client.SendAsync(request);
        Assert.Contains("X-Other", seen, StringComparison.Ordinal);
        Assert.DoesNotContain(HaHeaders.NotExecuted, seen, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("/_ha/nothing")]
    [InlineData("/_HA/nothing")]
    [InlineData("/_ha/leader/x")]
    [InlineData("/_ha/healthz/")]
    public async Task Nothing_below_the_prefix_reaches_the_app(string path)
    {
        await using var node = new TestNode { App = _ => throw new InvalidOperationException("the app was reached") };
        using var client = await node.StartAsync();
        using var response = await client.GetAsync(path);
        Assert.Equal(path.EndsWith('/') ? HttpStatusCode.OK : HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task A_neighbour_of_the_prefix_is_the_apps()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        Assert.Equal("the app", await client.GetStringAsync("/_hasomething"));
    }

    [Fact]
    public async Task The_heartbeat_route_is_delegated_and_absent_without_an_election()
    {
        await using var elected = new TestNode { Heartbeat = context => context.Response.WriteAsync("beat") };
        using var client = await elected.StartAsync();
        using var answer = await client.PostAsync("/_ha/heartbeat", content: null);
        Assert.Equal("beat", await answer.Content.ReadAsStringAsync());

        await using var fixedLeader = new TestNode();
        using var other = await fixedLeader.StartAsync();
        using var none = await other.PostAsync("/_ha/heartbeat", content: null);
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task Heartbeats_stay_out_of_the_apps_request_metrics_and_traces()
    {
        var metrics = new Mock<IHttpMetricsTagsFeature>();
        await using var node = new TestNode { Heartbeat = _ => Task.CompletedTask };
        var context = new DefaultHttpContext();
        context.Features.Set(metrics.Object);
        using var activity = new Activity("request") { ActivityTraceFlags = ActivityTraceFlags.Recorded };
        activity.Start();
        await node.Endpoints().HandleAsync(context, "/heartbeat");
        metrics.VerifySet(feature => feature.MetricsDisabled = true);
        Assert.False(activity.Recorded);
    }

    [Fact]
    public async Task A_node_id_that_no_header_can_carry_does_not_break_responses()
    {
        await using var node = new TestNode(self: "a\r\nSet-Cookie: x=1");
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/");
        Assert.Equal("a%0D%0ASet-Cookie%3A%20x%3D1", Header(response, HaHeaders.Node));
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? Assert.Single(values) : null;
}
