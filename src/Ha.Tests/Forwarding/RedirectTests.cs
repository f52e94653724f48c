using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

public sealed class RedirectTests
{
    private const string Leader = "http://leader.example:8080";

    [Theory]
    [InlineData("/notes", "/notes")]
    [InlineData("/notes?a=1&a=2", "/notes?a=1&a=2")]
    [InlineData("/n%C3%B6te%2Fs/%7euser?q=%20+%2B;'()*!", "/n%C3%B6te%2Fs/%7euser?q=%20+%2B;'()*!")]
    [InlineData("/a/./b/../c//d?x=/../y", "/a/./b/../c//d?x=/../y")]
    [InlineData("/?", "/?")]
    [InlineData("//evil.example/x", "//evil.example/x")]
    [InlineData("/%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b")]
    [InlineData("http://evil.example/notes?x=%41", "/notes?x=%41")]
    [InlineData("http://evil.example:99", "/")]
    [InlineData("http://evil.example?x=1", "/?x=1")]
    public async Task Location_is_the_leaders_url_and_the_target_byte_for_byte(string target, string expected)
    {
        await using var node = await FollowerAsync();

        var answer = await RawConnection.AskAsync(node.Port, $"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        // An absolute target must agree with Host, or Kestrel refuses it before us; both are fine.
        if (!answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal))
        {
            Assert.StartsWith("HTTP/1.1 307", answer, StringComparison.Ordinal);
            Assert.Contains($"\r\nLocation: {Leader}{expected}\r\n", answer, StringComparison.Ordinal);
        }
        else
        {
            Assert.StartsWith("http://evil.example", target, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/a\u0001b", "/a%01b")]
    [InlineData("/a?b=\t\u007f", "/a?b=%09%7F")]
    public async Task Control_characters_that_no_header_can_carry_are_encoded(string target, string expected)
    {
        await using var node = await FollowerAsync();

        var answer = await RawConnection.AskAsync(node.Port, $"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 307", answer, StringComparison.Ordinal);
        Assert.Contains($"\r\nLocation: {Leader}{expected}\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_absolute_target_that_agrees_with_host_loses_its_authority()
    {
        await using var node = await FollowerAsync();

        var answer = await RawConnection.AskAsync(
            node.Port, "PUT http://evil.example/n%41?q#f HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Contains($"\r\nLocation: {Leader}/n%41?q#f\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Location_cannot_be_steered_by_any_header()
    {
        await using var node = await FollowerAsync();

        var answer = await RawConnection.AskAsync(
            node.Port,
            "POST /x HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\n"
            + "X-Base-Leader: http://evil.example\r\nX-Original-URL: http://evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Contains($"\r\nLocation: {Leader}/x\r\n", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_body_names_the_leader_and_the_epoch()
    {
        await using var node = await FollowerAsync();
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url + "/notes", new StringContent("{}"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.ToString());
        Assert.Equal($$"""{"error":"not leader","leader":"{{Leader}}","epoch":7}""", await answer.Content.ReadAsStringAsync());
        Assert.Equal("no-store", answer.Header("Cache-Control"));
    }

    [Fact]
    public async Task The_body_changes_with_the_leader_and_with_the_epoch()
    {
        await using var node = await FollowerAsync();
        using var client = TestNode.Client();
        foreach (var (leader, epoch) in new[] { (Leader, 7), (Leader, 8), ("http://next.example", 8), (Leader, 7) })
        {
            node.Leadership.Follow(leader, epoch);

            using var answer = await client.PostAsync(node.Url + "/notes", content: null);

            Assert.Equal($$"""{"error":"not leader","leader":"{{leader}}","epoch":{{epoch}}}""", await answer.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_redirect_shows_the_public_target_not_the_one_between_nodes()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup());
        node.Leadership.Follow("http://10.0.0.1:5000", publicUrl: "https://api.example");
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url + "/notes", content: null);

        Assert.Equal("https://api.example/notes", answer.Header("Location"));
        Assert.DoesNotContain("10.0.0.1", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_waits_for_100_keeps_its_body()
    {
        await using var node = await FollowerAsync();
        using var connection = await RawConnection.ConnectAsync(node.Port);

        await connection.SendAsync("POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
        var answer = await connection.ReceiveUntilAsync("\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 307", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reads_are_served_by_the_follower()
    {
        await using var node = await FollowerAsync();
        using var client = TestNode.Client();

        Assert.Equal("here", await client.GetStringAsync(node.Url + "/notes"));
        using var query = new HttpRequestMessage(new HttpMethod("QUERY"), node.Url + "/notes") { Content = new StringContent("q") };
        using var answer = await client.SendAsync(query);
        Assert.Equal("here", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Endpoint_metadata_counts_after_routing()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            AfterRouting = true,
            App = app =>
            {
                app.MapPost("/search", () => "found").AllowOnAnyNode();
                app.MapGet("/fresh", () => "fresh").RequireLeader();
                app.MapPost("/both", [RequireLeader] () => "specific").AllowOnAnyNode().RequireLeader();
            },
        });
        node.Leadership.Follow(Leader);
        using var client = TestNode.Client();

        using var search = await client.PostAsync(node.Url + "/search", content: null);
        using var fresh = await client.GetAsync(node.Url + "/fresh");
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, node.Url + "/fresh"));
        using var both = await client.PostAsync(node.Url + "/both", content: null);

        Assert.Equal("found", await search.Content.ReadAsStringAsync());
        Assert.Equal(Leader + "/fresh", fresh.Header("Location"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, head.StatusCode);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, both.StatusCode);
    }

    private static async Task<TestNode> FollowerAsync()
    {
        var node = await TestNode.StartAsync(new TestNodeSetup { App = app => app.Run(context => context.Response.WriteAsync("here")) });
        node.Leadership.Follow(Leader, epoch: 7);
        return node;
    }
}
