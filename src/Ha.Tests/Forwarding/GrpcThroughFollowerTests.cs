using System.Net;
using Ha.Forwarding.Proxy;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

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

    [Theory]
    [InlineData("1H")]
    [InlineData("2M")]
    [InlineData("20S")]
    [InlineData("20000m")]
    [InlineData("20000000u")]
    [InlineData("99999999n")]
    [InlineData("soon")]
    public async Task A_timeout_arrives_as_it_was_said(string timeout)
    {
        await using var leader = await LeaderAsync(TimeoutAsync);
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2 with { Clock = new ManualTime() });
        using var client = TestNode.Client();
        using var request = Call(follower.Url);
        request.Headers.Add("grpc-timeout", timeout);

        using var answer = await client.SendAsync(request);

        Assert.Equal(timeout, answer.Header("x-timeout"));
    }

    [Fact]
    public async Task What_a_call_has_waited_for_a_leader_is_taken_from_its_timeout()
    {
        var clock = new ManualTime();
        await using var leader = await LeaderAsync(TimeoutAsync);
        await using var follower = await TestNode.StartAsync(_http2 with { Clock = clock });
        using var client = TestNode.Client();
        using var request = Call(follower.Url);
        request.Headers.Add("grpc-timeout", "20S");

        var answering = client.SendAsync(request);
        await Eventually.True(() => follower.Hold.Held == 1);
        clock.Advance(TimeSpan.FromSeconds(3));
        follower.Leadership.Follow(leader.Url);
        using var answer = await answering;

        Assert.Equal("17000000u", answer.Header("x-timeout"));
    }

    [Theory]
    [InlineData("1H", 60_000, "3540000m")]
    [InlineData("2M", 30_000, "90000000u")]
    [InlineData("20S", 500, "19500000u")]
    [InlineData("20000m", 20_000, "1n")]
    [InlineData("20000000u", 30_000, "1n")]
    [InlineData("50000000n", 20, "30000u")]
    [InlineData("99999999H", 1000, "99999998H")]
    [InlineData("40H", 1000, "143999S")]
    [InlineData("20S", 0.5, "20S")]
    [InlineData("20s", 500, "20s")]
    [InlineData("-1S", 500, "-1S")]
    [InlineData("123456789S", 500, "123456789S")]
    [InlineData("", 500, "")]
    public void A_timeout_less_the_wait_has_the_finest_unit_that_holds_it(string timeout, double waitedMilliseconds, string left) =>
        Assert.Equal(left, GrpcTimeout.Less(timeout, TimeSpan.FromMilliseconds(waitedMilliseconds)));

    [Fact]
    public async Task Metadata_of_several_values_arrives_as_a_server_splits_it()
    {
        var arrived = new TaskCompletionSource<string>();
        await using var leader = await LeaderAsync(context =>
        {
            arrived.SetResult($"{context.Request.Headers["k-bin"]} {context.Request.Headers["k"]}");
            return Task.CompletedTask;
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2);
        using var connection = await RawHttp2Connection.ConnectAsync(follower.Port);

        await connection.AskAsync([
            (":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x"), ("content-type", "application/grpc"), ("te", "trailers"),
            ("k-bin", "YQ=="), ("k-bin", "Yg"), ("k", "a, b"), ("k", "c")]);

        Assert.Equal("YQ==,Yg a, b,c", await arrived.Task);
    }

    [Fact]
    public async Task A_call_that_its_client_cancels_ends_on_the_leader_and_leaves_nothing_in_the_log()
    {
        const int Calls = 10;
        var ended = 0;
        using var logs = new RecordedLogs();
        await using var leader = await LeaderAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.WriteAsync("first");
            await context.Response.Body.FlushAsync();
            try
            {
                await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                Interlocked.Increment(ref ended);
            }
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2 with { Builder = builder => builder.Services.AddSingleton<ILoggerFactory>(logs) });
        using var client = TestNode.Client();

        for (var i = 0; i < Calls; i++)
        {
            using var request = Call(follower.Url, new Endless());
            var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            await (await answer.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[5]);
            answer.Dispose();
        }

        await Eventually.True(() => Volatile.Read(ref ended) == Calls);
        await follower.DisposeAsync();
        Assert.DoesNotContain(logs.Entries, entry => entry.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task A_leader_that_ends_a_call_before_its_client_does_is_heard()
    {
        await using var leader = await LeaderAsync(context =>
        {
            context.Response.ContentType = "application/grpc";
            context.Response.Headers["grpc-status"] = "3";
            return Task.CompletedTask;
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url, _http2);
        using var client = TestNode.Client();
        using var request = Call(follower.Url, new Endless());

        using var answer = await client.SendAsync(request).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal("3", answer.Header("grpc-status"));
    }

    [Fact]
    public async Task Other_writes_too_reach_a_leader_that_takes_http2_only()
    {
        await using var leader = await LeaderAsync(async context =>
        {
            var length = 0;
            var buffer = new byte[4096];
            for (int read; (read = await context.Request.Body.ReadAsync(buffer)) > 0;)
            {
                length += read;
            }

            await context.Response.WriteAsync($"{context.Request.Protocol} {length}");
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        // First the one that waits for consent: a listener that closes under a body may be heard no more.
        using var large = await client.PostAsync(follower.Url, new ByteArrayContent(new byte[300_000]));
        using var small = await client.PostAsync(follower.Url, new ByteArrayContent(new byte[10]));
        using var none = await client.PostAsync(follower.Url, content: null);

        Assert.Equal("HTTP/2 10", await small.Content.ReadAsStringAsync());
        Assert.Equal("HTTP/2 300000", await large.Content.ReadAsStringAsync());
        Assert.Equal("HTTP/2 0", await none.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Nodes_that_take_http2_only_elect_a_leader_and_forward_to_it()
    {
        await using var cluster = new KestrelCluster(
            ["a", "b", "c"], [("BASE_FORWARD_MODE", "proxy")], protocols: HttpProtocols.Http2);
        await cluster.StartAsync();
        await Eventually.True(() => cluster.Nodes.Count(node => node.Provider.IsLeader) == 1);
        var leader = cluster.Leader;
        await cluster.HasLeaderAsync(leader.Id);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, cluster.Nodes.First(node => node != leader).Url + "/notes")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("{}"),
        };

        using var answer = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Contains(leader.Id, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
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

    private static Task<TestNode> LeaderAsync(RequestDelegate run) => TestNode.LeaderAsync(app => app.Run(run), _http2);

    private static Task TimeoutAsync(HttpContext context)
    {
        context.Response.Headers["x-timeout"] = context.Request.Headers["grpc-timeout"];
        return Task.CompletedTask;
    }

    private static HttpRequestMessage Call(string url, HttpContent? content = null)
    {
        content ??= new ByteArrayContent([0, 0, 0, 0, 0]);
        content.Headers.ContentType = new("application/grpc");
        return new HttpRequestMessage(HttpMethod.Post, url + "/pkg.Service/Call")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
    }

    private static async Task<bool> EndsByHeadersAsync(int port)
    {
        using var connection = await RawHttp2Connection.ConnectAsync(port);
        Assert.Equal("answered", await connection.AskAsync(
            [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x"), ("content-type", "application/grpc"), ("te", "trailers")]));
        return connection.EndedByHeaders;
    }

    /// <summary>A stream of messages whose client has more to say.</summary>
    private sealed class Endless : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync("more"u8.ToArray(), cancellationToken);
            await stream.FlushAsync(cancellationToken);
            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
