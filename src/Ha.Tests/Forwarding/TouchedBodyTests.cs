using System.IO.Compression;
using System.Net;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>
/// A body that a middleware before the write forwarding has decoded, wrapped or read: forwarded as the application would
/// read it, or refused as not executed; never called unknown, never replaced by an empty one.
/// </summary>
public sealed class TouchedBodyTests
{
    private int _runs;

    [Theory]
    [InlineData(10, true)]
    [InlineData(10, false)]
    [InlineData(200_000, true)]
    [InlineData(200_000, false)]
    public async Task A_decompressed_body_is_forwarded_decompressed(int size, bool hasLength)
    {
        await using var leader = await EchoAsync();
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            Builder = builder => builder.Services.AddRequestDecompression(),
            Before = app => app.UseRequestDecompression(),
        });
        using var client = TestNode.Client();
        var text = new string('a', size);
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/x") { Content = Gzip(text) };
        request.Headers.TransferEncodingChunked = !hasLength;

        using var answer = await client.SendAsync(request);

        Assert.Equal($"{size}:", await answer.Content.ReadAsStringAsync());
        Assert.Equal(1, _runs);
    }

    [Theory]
    [InlineData(10, true)]
    [InlineData(10, false)]
    [InlineData(200_000, false)]
    public async Task A_buffered_body_is_forwarded_from_its_beginning(int size, bool readHalf)
    {
        await using var leader = await EchoAsync();
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            Before = app => app.Use(async (context, next) =>
            {
                context.Request.EnableBuffering();
                if (readHalf)
                {
                    await context.Request.Body.ReadExactlyAsync(new byte[size / 2]);
                }
                else
                {
                    await context.Request.Body.CopyToAsync(Stream.Null);
                }

                await next(context);
            }),
        });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url + "/x", new ByteArrayContent(new byte[size]));

        Assert.Equal($"{size}:", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_was_read_away_is_refused_as_not_executed_and_the_log_says_who_to_move(bool asForm)
    {
        await using var leader = await EchoAsync();
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            Before = app => app.Use(async (context, next) =>
            {
                if (asForm)
                {
                    // What UseAntiforgery does to look for its token.
                    await context.Request.ReadFormAsync();
                }
                else
                {
                    await context.Request.Body.ReadExactlyAsync(new byte[2]);
                }

                await next(context);
            }),
        });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url + "/x", new FormUrlEncodedContent([KeyValuePair.Create("a", "b")]));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("not executed", await answer.ErrorAsync());
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Equal(0, _runs);
        Assert.Contains(follower.Logs.Entries, entry => entry.Text.Contains("Call UseHa() before it", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_body_that_a_refusing_handler_left_unread_goes_to_the_leader()
    {
        await using var leader = await EchoAsync();
        TestNode? node = null;
        await using var follower = node = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            App = app => app.Run(context =>
            {
                context.Response.Headers["X-Prepared"] = "yes";
                node!.Leadership.Follow(leader.Url, epoch: 2);
                throw new NotLeaderException();
            }),
        });
        follower.Leadership.Lead();
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url + "/x", new StringContent("hello"));

        Assert.Equal("5:5", await answer.Content.ReadAsStringAsync());
        Assert.Null(answer.Header("X-Prepared"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("5\r\n12345\r\n")]
    public async Task The_limit_on_the_size_counts_again_when_this_node_takes_over(string firstPart)
    {
        // Dies after it has asked for the body: that is being read by then, and the server forbids to change its limit.
        await using var old = new RawLeader(async (connection, _) =>
        {
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await connection.ReceiveUntilAsync(firstPart);
        });
        await using var follower = await TestNode.ProxyAsync(old.Url, new TestNodeSetup
        {
            AfterRouting = true,
            Builder = builder => builder.Services.Configure<KestrelServerOptions>(kestrel => kestrel.Limits.MaxRequestBodySize = 20),
            App = app => app.MapPost("/x", async context =>
            {
                Interlocked.Increment(ref _runs);
                await context.Request.Body.CopyToAsync(Stream.Null);
            }).HonorsIdempotencyKey(),
        });
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync(
            "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n" + firstPart);
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Lead(epoch: 2);
        await Eventually.True(() => Volatile.Read(ref _runs) == 1);

        await connection.SendAsync("1e\r\n" + new string('x', 30) + "\r\n0\r\n\r\n");

        Assert.Contains("HTTP/1.1 413", await connection.ReceiveAllAsync(), StringComparison.Ordinal);
    }

    private Task<TestNode> EchoAsync() => TestNode.LeaderAsync(app => app.Run(async context =>
    {
        Interlocked.Increment(ref _runs);
        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        await context.Response.WriteAsync($"{body.Length}:{context.Request.ContentLength}");
    }));

    private static ByteArrayContent Gzip(string text)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(System.Text.Encoding.ASCII.GetBytes(text));
        }

        return new ByteArrayContent(compressed.ToArray()) { Headers = { ContentEncoding = { "gzip" } } };
    }
}
