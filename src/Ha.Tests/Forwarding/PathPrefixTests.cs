using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary><c>BASE_FORWARD_NEVER</c> and <c>BASE_FORWARD_ALWAYS</c>, with and without <c>UseHa()</c>.</summary>
public sealed class PathPrefixTests
{
    private const string Leader = "http://leader.example:8080";

    [Theory]
    [InlineData(false, "POST", "/hooks/github", 200)]
    [InlineData(true, "POST", "/hooks/github", 200)]
    [InlineData(false, "POST", "/hooksandmore", 307)]
    [InlineData(true, "POST", "/hooksandmore", 307)]
    [InlineData(false, "GET", "/reports/today", 307)]
    [InlineData(true, "GET", "/reports/today", 307)]
    [InlineData(false, "GET", "/notes", 200)]
    [InlineData(false, "OPTIONS", "/reports/today", 200)]
    [InlineData(false, "POST", "/hooks%2Fgithub", 307)]
    [InlineData(false, "POST", "/%68ooks/github", 200)]
    [InlineData(false, "GET", "/%72eports/today?x=%72", 307)]
    public async Task A_follower_decides_by_the_path(bool afterRouting, string method, string path, int expected)
    {
        await using var node = await FollowerAsync(app => app.Map("{**any}", () => "here"), afterRouting);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(node.Url + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));

        using var answer = await client.SendAsync(request);

        Assert.Equal(expected, (int)answer.StatusCode);
        Assert.Equal(expected == 307 ? Leader + path : null, answer.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task What_an_endpoint_says_itself_counts_more()
    {
        await using var node = await FollowerAsync(
            app =>
            {
                app.MapPost("/hooks/strict", () => "here").RequireLeader();
                app.MapGet("/reports/loose", () => "here").AllowOnAnyNode();
            },
            afterRouting: true);
        using var client = TestNode.Client();

        using var strict = await client.PostAsync(new Uri(node.Url + "/hooks/strict"), content: null);
        using var loose = await client.GetAsync(new Uri(node.Url + "/reports/loose"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, strict.StatusCode);
        Assert.Equal(HttpStatusCode.OK, loose.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_path_base_makes_no_difference(bool afterRouting)
    {
        await using var node = await FollowerAsync(
            app => app.Map("{**any}", () => "here"),
            afterRouting,
            options => options.ForwardNever.Add("/shop/hooks"),
            before: app => app.UsePathBase("/shop"));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(new Uri(node.Url + "/shop/hooks/1"), content: null);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("POST", "/notes", "/hooks", 307)]
    [InlineData("POST", "/hooks/github", "/shop", 200)]
    [InlineData("GET", "/reports/today", "/shop", 307)]
    [InlineData("GET", "/notes", "/reports", 200)]
    public async Task What_a_client_writes_into_a_header_is_no_part_of_the_path(string method, string path, string prefix, int expected)
    {
        await using var node = await FollowerAsync(
            app => app.Map("{**any}", () => "here"),
            afterRouting: true,
            before: app => app.UseForwardedHeaders(new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.All }));
        Assert.Equal(expected, await StatusAsync(node, method, path, ("X-Forwarded-Prefix", prefix)));
    }

    [Theory]
    [InlineData("POST", "/notes", "/hooks", 307)]
    [InlineData("POST", "/hooks/github", "/notes", 200)]
    public async Task What_a_rewrite_makes_of_the_path_does_not_count(string method, string path, string rewritten, int expected)
    {
        await using var node = await FollowerAsync(
            app => app.Map("{**any}", () => "here"),
            afterRouting: true,
            before: app => app.Use((context, next) =>
            {
                context.Request.Path = rewritten;
                return next(context);
            }));
        Assert.Equal(expected, await StatusAsync(node, method, path));
    }

    [Fact]
    public async Task A_read_that_needs_the_leader_is_proxied_to_it()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.MapGet("/reports/today", () => "from the leader"), new TestNodeSetup { Options = Prefixes });
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup { Options = Prefixes });
        using var client = TestNode.Client();
        Assert.Equal("from the leader", await client.GetStringAsync(new Uri(follower.Url + "/reports/today")));
    }

    [Fact]
    public async Task Grpc_on_a_path_that_is_never_forwarded_stays_and_other_goes_to_the_leader()
    {
        static void Answer(WebApplication app, string who) => app.Map("{**any}", () => who);
        var http2 = new TestNodeSetup { Options = options => options.ForwardNever.Add("/shop.Hooks"), Protocols = HttpProtocols.Http2 };
        await using var leader = await TestNode.LeaderAsync(app => Answer(app, "leader"), http2);
        await using var follower = await TestNode.StartAsync(http2 with { App = app => Answer(app, "follower") });
        follower.Leadership.Follow(leader.Url);
        using var client = TestNode.Client();

        Assert.Equal("follower", await CallAsync(client, follower.Url + "/shop.Hooks/Came"));
        Assert.Equal("leader", await CallAsync(client, follower.Url + "/shop.Orders/Place"));
    }

    [Fact]
    public async Task Without_a_leader_what_is_never_forwarded_is_served_and_what_always_is_waits()
    {
        await using var node = await FollowerAsync(app => app.Map("{**any}", () => "here"), options: options => options.WriteHold = TimeSpan.Zero);
        node.Leadership.LoseLeader();
        using var client = TestNode.Client();

        using var never = await client.PostAsync(new Uri(node.Url + "/hooks"), content: null);
        using var always = await client.GetAsync(new Uri(node.Url + "/reports"));

        Assert.Equal(HttpStatusCode.OK, never.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, always.StatusCode);
        Assert.True(always.Headers.Contains(HaHeaders.NotExecuted));
    }

    private static async Task<int> StatusAsync(TestNode node, string method, string path, params (string Name, string Value)[] headers)
    {
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(node.Url + path));
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var answer = await client.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private static async Task<string> CallAsync(HttpClient client, string url)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Content = new ByteArrayContent([0, 0, 0, 0, 0]);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var answer = await client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }

    private static void Prefixes(HaOptions options)
    {
        options.ForwardNever.Add("/hooks");
        options.ForwardAlways.Add("/reports");
    }

    private static async Task<TestNode> FollowerAsync(
        Action<WebApplication> app, bool afterRouting = false, Action<HaOptions>? options = null, Action<WebApplication>? before = null)
    {
        var node = await TestNode.StartAsync(new TestNodeSetup
        {
            App = app,
            Before = before ?? (_ => { }),
            AfterRouting = afterRouting,
            Options = o =>
            {
                Prefixes(o);
                options?.Invoke(o);
            },
        });
        node.Leadership.Follow(Leader);
        return node;
    }
}
