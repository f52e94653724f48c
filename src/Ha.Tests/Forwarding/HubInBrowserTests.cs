using System.Text.Json;
using Ha.Tests.Endpoints;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>A page that a follower serves, with Microsoft's client, and hubs of both choices; docs/forwarding.md says the same.</summary>
[Trait("Category", "Long")]
public sealed class HubInBrowserTests
{
    internal static readonly string Folder = Path.Combine(Repository.Root, "src", "Ha.Tests", "Forwarding", "browser");

    // A machine that is busy with other things must not end a connection.
    private static readonly TimeSpan _silence = TimeSpan.FromMinutes(5);

    [TheoryIfHubClient]
    [InlineData(ForwardMode.Proxy, "{}")]
    [InlineData(ForwardMode.Redirect, "{ skipNegotiation: true, transport: signalR.HttpTransportType.WebSockets }")]
    public async Task A_hub_that_requires_the_leader_is_on_it_and_on_the_next_one_after_a_reconnect(ForwardMode mode, string options)
    {
        await using var a = await NodeAsync("a", mode);
        a.Leadership.Lead();
        await using var b = await NodeAsync("b", mode);
        await using var follower = await NodeAsync("follower", mode);
        follower.Leadership.Follow(a.Url, leaderId: "a");
        await using var browser = await OpenAsync(follower);
        Assert.Equal("a", await browser.EvaluateAsync(Connect("/leader", options)));
        var before = await browser.EvaluateAsync("connection.connectionId");

        follower.Leadership.LoseLeader();
        a.Leadership.LoseLeader();
        b.Leadership.Lead(epoch: 2);
        follower.Leadership.Follow(b.Url, epoch: 2, leaderId: "b");

        Assert.Equal("b", await browser.EvaluateAsync("reconnected.then(() => connection.invoke('Where'))"));
        Assert.True(before is "null" || before != await browser.EvaluateAsync("connection.connectionId"));
    }

    [TheoryIfHubClient]
    [InlineData(ForwardMode.Proxy)]
    [InlineData(ForwardMode.Redirect)]
    public async Task A_hub_for_any_node_stays_on_the_node_whoever_leads(ForwardMode mode)
    {
        await using var follower = await NodeAsync("follower", mode);
        follower.Leadership.Follow("http://127.0.0.1:1");
        await using var browser = await OpenAsync(follower);
        Assert.Equal("follower", await browser.EvaluateAsync(Connect("/any", "{}")));
        var before = await browser.EvaluateAsync("connection.connectionId");

        follower.Leadership.Lead(epoch: 2);
        Assert.Equal("follower", await browser.EvaluateAsync("connection.invoke('Where')"));
        follower.Leadership.LoseLeader();

        Assert.Equal("follower", await browser.EvaluateAsync("connection.invoke('Where')"));
        Assert.Equal(before, await browser.EvaluateAsync("connection.connectionId"));
    }

    [TheoryIfHubClient]
    [InlineData("/undecided", ForwardMode.Proxy)]
    [InlineData("/undecided", ForwardMode.Redirect)]
    [InlineData("/leader", ForwardMode.Redirect)]
    public async Task A_hub_whose_negotiation_ends_elsewhere_than_its_connection_does_not_connect(string hub, ForwardMode mode)
    {
        await using var leader = await NodeAsync("leader", mode);
        leader.Leadership.Lead();
        await using var follower = await NodeAsync("follower", mode);
        follower.Leadership.Follow(leader.Url);
        await using var browser = await OpenAsync(follower);

        Assert.StartsWith("failed: ", await browser.EvaluateAsync(Connect(hub, "{}")), StringComparison.Ordinal);
    }

    private static string Connect(string hub, string options) => $$"""
        (async () => {
          window.connection = new signalR.HubConnectionBuilder().withUrl({{JsonSerializer.Serialize(hub)}}, {{options}})
            .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 }).configureLogging(signalR.LogLevel.None).build();
          connection.serverTimeoutInMilliseconds = {{_silence.TotalMilliseconds}};
          window.reconnected = new Promise(done => connection.onreconnected(done));
          return connection.start().then(() => connection.invoke('Where'), e => 'failed: ' + e);
        })()
        """;

    private static async Task<Chromium> OpenAsync(TestNode node)
    {
        var browser = await Chromium.StartAsync();
        await browser.OpenAsync(node.Url);
        await browser.HtmlWhenAsync(html => html.Contains("<title>ready</title>", StringComparison.Ordinal));
        return browser;
    }

    private static Task<TestNode> NodeAsync(string name, ForwardMode mode) => TestNode.StartAsync(new TestNodeSetup
    {
        Id = name,
        AfterRouting = true,
        Options = o => o.ForwardMode = mode,
        Builder = builder =>
        {
            builder.Services.AddSignalR(hub => (hub.HandshakeTimeout, hub.ClientTimeoutInterval) = (_silence, _silence));
            builder.Services.AddSingleton(new NodeName(name));
        },
        App = app =>
        {
            app.MapGet("/", () => Results.Content("<!doctype html><script src=\"signalr.js\"></script><title>ready</title>", "text/html"));
            app.MapGet("/signalr.js", () => Results.File(Path.Combine(Folder, "node_modules", "@microsoft", "signalr", "dist", "browser", "signalr.min.js"), "text/javascript"));
            app.MapHub<WhereHub>("/leader").RequireLeader();
            app.MapHub<WhereHub>("/any").AllowOnAnyNode();
            app.MapHub<WhereHub>("/undecided");
        },
    });

    /// <summary>Needs Chromium and the client's npm package; skipped, with the reason, where one cannot be had.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class TheoryIfHubClientAttribute : TheoryAttribute
    {
        public TheoryIfHubClientAttribute() => Skip = (new FactIfChromiumAttribute().Skip ?? NodePackages.Obstacle(Folder))!;
    }
}
