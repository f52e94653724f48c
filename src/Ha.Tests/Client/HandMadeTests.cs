using System.Net;
using Ha.Client;

namespace Ha.Tests.Client;

/// <summary>The handler without dependency injection.</summary>
public class HandMadeTests
{
    [Fact]
    public async Task Handler_made_by_hand_finds_the_leader()
    {
        await using var leader = new RawServer((_, _, stream) => RawServer.OkAsync(stream));
        await using var follower = new RawServer(async (_, _, stream) =>
        {
            await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 307 x\r\nLocation: {leader.Url}/notes\r\nX-Base-Leader: {leader.Url}\r\nContent-Length: 0\r\n\r\n"));
            return true;
        });
        using var client = new HttpClient(new LeaderRoutingHandler(new LeaderRoutingOptions { Nodes = [follower.Url, leader.Url] }))
        {
            BaseAddress = new Uri(follower.Url),
        };
        for (var i = 0; i < 3; i++)
        {
            using var response = await client.PostAsync("/notes", content: null);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.Equal(3, leader.Requests);
        Assert.InRange(follower.Requests, 0, 1);
    }

    [Fact]
    public void Wrong_options_are_all_named_at_once()
    {
        var error = Assert.Throws<ArgumentException>(() => new LeaderRoutingHandler(
            new LeaderRoutingOptions { Nodes = ["node-1", "https+http://orders"], MaxBufferedBodyBytes = -1 }));
        Assert.Contains("'node-1' must be an http or https URL", error.Message, StringComparison.Ordinal);
        Assert.Contains("'https+http://orders' is a name for service discovery: set ResolveNodes", error.Message, StringComparison.Ordinal);
        Assert.Contains("MaxBufferedBodyBytes (-1)", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => new LeaderRoutingHandler((LeaderRoutingOptions)null!));
    }

    [Fact]
    public async Task Inner_handler_that_redirects_or_is_replaced_is_refused()
    {
        var options = new LeaderRoutingOptions { Nodes = ["http://a"] };
        using var redirecting = new HttpClientHandler();
        Assert.Throws<InvalidOperationException>(() => new LeaderRoutingHandler(options, redirecting));

        using var handler = new LeaderRoutingHandler(options);
        handler.InnerHandler = redirecting;
        using var client = new HttpClient(handler);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetAsync("http://a"));
        Assert.Contains("was replaced", error.Message, StringComparison.Ordinal);
    }
}
