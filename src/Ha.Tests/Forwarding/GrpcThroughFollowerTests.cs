using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>What gRPC clients see of answers that a follower brings back over HTTP/2.</summary>
public sealed class GrpcThroughFollowerTests
{
    private static readonly TestNodeSetup _http2 = new() { Protocols = HttpProtocols.Http2 };

    [Fact]
    public async Task A_trailers_only_answer_stays_one()
    {
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(context =>
            {
                context.Response.ContentType = "application/grpc";
                context.Response.Headers["grpc-status"] = "5";
                return Task.CompletedTask;
            }),
            _http2);
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2);

        Assert.True(await EndsByHeadersAsync(leader.Port));
        Assert.True(await EndsByHeadersAsync(follower.Port));
    }

    [Fact]
    public async Task Half_an_answer_ends_with_an_error()
    {
        var arrived = new TaskCompletionSource();
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(async context =>
            {
                context.Response.ContentType = "application/grpc";
                await context.Response.WriteAsync("half");
                await context.Response.Body.FlushAsync();

                // A reset overtakes what was sent before it.
                await arrived.Task;
                context.Abort();
            }),
            _http2);
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2);
        using var client = TestNode.Client();
        using var request = Call(follower.Url);

        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await answer.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[4]);
        arrived.SetResult();

        var failure = await Assert.ThrowsAnyAsync<HttpIOException>(async () => await body.ReadExactlyAsync(new byte[1]));
        Assert.Equal(0x2, Assert.IsType<HttpProtocolException>(failure.InnerException ?? failure).ErrorCode);
    }

    [Fact]
    public async Task A_leader_whose_listener_takes_no_http2_has_not_executed_the_call_and_the_log_says_why()
    {
        const int Attempts = 20;
        await using var leader = await TestNode.LeaderAsync(app => app.Run(static _ => Task.CompletedTask));
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2);
        using var client = TestNode.Client();

        // Its GOAWAY can be overtaken: by the reset of a connection with frames that nobody read, and inside the client by the
        // end of the request's body. Then nobody can tell, and the outcome is unknown.
        for (var attempt = 1; !await WasNotExecutedAsync(client, follower, leader.Url); attempt++)
        {
            Assert.True(attempt < Attempts, "never told apart");
        }
    }

    /// <returns>False: the call's outcome is unknown.</returns>
    private static async Task<bool> WasNotExecutedAsync(HttpClient client, TestNode follower, string leaderUrl)
    {
        using var request = Call(follower.Url);
        using var answer = await client.SendAsync(request);
        if (answer.Header("grpc-status") is "2")
        {
            Assert.Null(answer.Header("X-Base-Not-Executed"));
            return false;
        }

        Assert.Equal("14", answer.Header("grpc-status"));
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Contains(follower.Logs.Entries, entry => entry is { Id: 1206 } && entry.Text.Contains(leaderUrl, StringComparison.Ordinal));
        return true;
    }

    private static HttpRequestMessage Call(string url) => new(HttpMethod.Post, url + "/pkg.Service/Call")
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = new ByteArrayContent([0, 0, 0, 0, 0]) { Headers = { ContentType = new("application/grpc") } },
    };

    private static async Task<bool> EndsByHeadersAsync(int port)
    {
        using var connection = await RawHttp2Connection.ConnectAsync(port);
        Assert.Equal("answered", await connection.AskAsync(
            [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x"), ("content-type", "application/grpc"), ("te", "trailers")]));
        return connection.EndedByHeaders;
    }
}
