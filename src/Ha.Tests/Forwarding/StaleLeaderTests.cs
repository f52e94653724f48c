using System.Net;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Forwarding;

/// <summary>A leader finds out from its clients that there is a later one.</summary>
public sealed class StaleLeaderTests
{
    [Theory]
    [InlineData("8", false)]
    [InlineData("9223372036854775807", false)]
    [InlineData("7", true)]
    [InlineData("6", true)]
    [InlineData("0", true)]
    [InlineData("-9", true)]
    [InlineData("+8", true)]
    [InlineData(" 8 ", false)]
    [InlineData("9223372036854775808", true)]
    [InlineData("8, 9", true)]
    [InlineData("eight", true)]
    [InlineData("", true)]
    public async Task Write_of_a_client_that_has_seen_a_later_epoch_is_refused_and_nothing_else_is(string seen, bool runs)
    {
        var runsBefore = 0;
        await using var node = await TestNode.LeaderAsync(app => app.MapPost("/notes", () => ++runsBefore));
        node.Leadership.Lead(epoch: 7);
        var before = node.Leadership.Current;
        using var client = TestNode.Client();

        using var answer = await SendAsync(client, node.Url, seen);

        Assert.Equal(runs ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(runs, !answer.Headers.Contains("X-Base-Not-Executed"));
        Assert.Equal(runs ? 1 : 0, runsBefore);
        Assert.Equal(before, node.Leadership.Current);
        using var other = await SendAsync(client, node.Url, seen: null);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task Static_leader_has_no_epoch_and_takes_every_write()
    {
        await using var node = await TestNode.LeaderAsync(app => app.MapPost("/notes", () => 1));
        node.Leadership.Lead(epoch: 0);
        using var client = TestNode.Client();
        using var answer = await SendAsync(client, node.Url, "99");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Follower_refuses_at_once_rather_than_hold_the_write_on_its_clients_word()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.MapPost("/notes", () => 1));
        leader.Leadership.Lead(epoch: 7);
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        follower.Leadership.Follow(leader.Url, epoch: 7);
        using var client = TestNode.Client();

        using var forged = await SendAsync(client, follower.Url, "8");
        using var plain = await SendAsync(client, follower.Url, "7");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, forged.StatusCode);
        Assert.True(forged.Headers.Contains("X-Base-Not-Executed"));
        Assert.Contains("has seen a later epoch", await forged.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(0, follower.Hold.Held);
        Assert.Equal(HttpStatusCode.OK, plain.StatusCode);
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string url, string? seen)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url + "/notes") { Content = new ByteArrayContent([]) };
        if (seen is not null)
        {
            request.Headers.TryAddWithoutValidation("X-Base-Seen-Epoch", seen);
        }

        return await client.SendAsync(request);
    }
}
