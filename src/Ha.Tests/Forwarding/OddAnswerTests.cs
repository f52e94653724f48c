using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

/// <summary>Answers that break a rule, or that this node's server refuses to send, and headers in unusual places.</summary>
public sealed class OddAnswerTests
{
    [Theory]
    [InlineData("205 Reset Content\r\nContent-Length: 4")]
    [InlineData("101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x")]
    [InlineData("200 OK\r\nContent-Length: 4\r\nContent-Length: 5")]
    [InlineData("200 OK\r\nContent-Length: -4")]
    public async Task An_answer_that_cannot_be_passed_on_leaves_the_outcome_unknown_and_the_log_says_why(string head)
    {
        await using var leader = Answering($"HTTP/1.1 {head}\r\n\r\nbody");
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, new StringContent("x"));

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("outcome unknown", await answer.ErrorAsync());
        Assert.Contains(follower.Logs.Entries, entry => entry.Id == 1200);
    }

    [Fact]
    public async Task Chunks_count_and_not_a_length_beside_them()
    {
        await using var leader = Answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, new StringContent("x"));

        Assert.True(answer.Headers.TransferEncodingChunked);
        Assert.Equal("body", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_reason_passes()
    {
        await using var leader = Answering("HTTP/1.1 409 Already Booked\r\nContent-Length: 0\r\n\r\n");
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, new StringContent("x"));

        Assert.Equal("Already Booked", answer.ReasonPhrase);
    }

    [Fact]
    public async Task A_read_without_a_body_keeps_the_headers_that_describe_one()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context =>
            context.Response.WriteAsync($"[{context.Request.ContentType},{context.Request.Headers.ContentLanguage}]")));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = app => app.MapGet("/x", () => "stale").RequireLeader(),
        });

        var answer = await RawConnection.AskAsync(
            follower.Port,
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Language: de\r\nContent-Language: fr\r\n\r\n");

        Assert.Contains("[text/plain,de, fr]", answer, StringComparison.Ordinal);
    }

    private static RawLeader Answering(string answer) => new(async (connection, _) => await connection.SendAsync(answer));
}
