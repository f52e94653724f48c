using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>What was provably not executed goes to the next leader; what may have been does not.</summary>
public sealed class RetryTests
{
    private static readonly Action<WebApplication> _length = app => app.Map("/{**rest}", async context =>
    {
        var total = 0L;
        var buffer = new byte[8192];
        for (int read; (read = await context.Request.Body.ReadAsync(buffer)) > 0;)
        {
            total += read;
        }

        await context.Response.WriteAsync($"{total}");
    }).HonorsIdempotencyKey();

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(64 * 1024)]
    [InlineData(3_000_000)]
    public async Task A_refused_write_is_tried_on_the_next_leader_with_its_whole_body(int size)
    {
        await using var old = await DeposedAsync();
        await using var next = await TestNode.LeaderAsync(_length);
        await using var follower = await TestNode.ProxyAsync(old.Url);
        using var client = TestNode.Client();

        var answer = client.PostAsync(follower.Url, new ByteArrayContent(new byte[size]));
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Follow(next.Url, epoch: 2);

        Assert.Equal($"{size}", await (await answer).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("QUERY")]
    public async Task A_read_for_the_leader_that_breaks_off_is_sent_once_more_without_a_wait(string method)
    {
        var reads = 0;
        await using var leader = new RawLeader((connection, _) =>
            Interlocked.Increment(ref reads) == 1
                ? Task.CompletedTask
                : connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        await using var follower = await ReadingAsync(leader.Url, o => o.WriteHold = TimeSpan.Zero);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), follower.Url);

        using var answer = await client.SendAsync(request);

        Assert.Equal((HttpStatusCode.OK, 2), (answer.StatusCode, reads));
    }

    [Fact]
    public async Task A_read_for_the_leader_that_breaks_off_each_time_is_given_up_and_called_no_write()
    {
        await using var leader = new RawLeader((_, _) => Task.CompletedTask);
        await using var follower = await ReadingAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.GetAsync(follower.Url);

        Assert.Equal((HttpStatusCode.BadGateway, 2), (answer.StatusCode, leader.Requests));
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("outcome unknown", problem.GetProperty("error").GetString());
        Assert.DoesNotContain("write", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_that_breaks_off_at_two_leaders_is_sent_to_each_of_them_once()
    {
        var die = () => { };
        await using var second = new RawLeader((_, _) => Task.CompletedTask);
        await using var first = new RawLeader((_, _) =>
        {
            die();
            return Task.CompletedTask;
        });
        await using var follower = await ReadingAsync(first.Url);
        die = () => follower.Leadership.Follow(second.Url, epoch: 2);
        using var client = TestNode.Client();

        using var answer = await client.GetAsync(follower.Url);

        Assert.Equal((HttpStatusCode.BadGateway, 1, 1), (answer.StatusCode, first.Requests, second.Requests));
    }

    [Fact]
    public async Task A_read_whose_body_is_not_kept_is_sent_once()
    {
        await using var dying = new RawLeader(async (connection, _) =>
        {
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await connection.ReceiveUntilAsync("\0\0\0");
        });
        await using var follower = await ReadingAsync(dying.Url);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod("QUERY"), follower.Url);
        request.Content = new ByteArrayContent(new byte[200_000]);

        using var answer = await client.SendAsync(request);

        Assert.Equal((HttpStatusCode.BadGateway, 1), (answer.StatusCode, dying.Requests));
    }

    [Fact]
    public async Task A_read_that_broke_off_and_then_finds_nobody_is_refused_like_one_that_never_left()
    {
        RawLeader? dying = null;
        dying = new RawLeader((_, _) => dying!.DisposeAsync().AsTask());
        await using var follower = await ReadingAsync(dying.Url, o => o.WriteHold = TimeSpan.FromMilliseconds(100));
        using var client = TestNode.Client();

        using var answer = await client.GetAsync(follower.Url);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, 1), (answer.StatusCode, dying.Requests));
        Assert.Equal("leader unreachable", await answer.ErrorAsync());
    }

    [Fact]
    public async Task A_read_for_a_leader_that_is_gone_waits_for_the_next_one()
    {
        var dying = new RawLeader((_, _) => Task.CompletedTask);
        await using var next = await TestNode.LeaderAsync(static app => app.MapGet("/", static () => "next"));
        await using var follower = await ReadingAsync(dying.Url);
        await dying.DisposeAsync();
        using var client = TestNode.Client();

        var answer = client.GetStringAsync(follower.Url);
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Follow(next.Url, epoch: 2);

        Assert.Equal("next", await answer);
    }

    [Fact]
    public async Task A_leader_that_resets_every_connection_makes_no_unhandled_error()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var resetting = ResetAllAsync(listener);
        await using var follower = await TestNode.ProxyAsync(
            $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndPoint!).Port}",
            new TestNodeSetup { Options = o => o.WriteHold = TimeSpan.Zero });
        using var client = TestNode.Client();

        for (var i = 0; i < 200; i++)
        {
            using var answer = await client.PostAsync(follower.Url, new ByteArrayContent([]));
            Assert.True(
                answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway, $"{answer.StatusCode} on try {i}");
        }

        listener.Dispose();
        await resetting;
    }

    [Fact]
    public async Task A_small_chunked_body_is_kept_too()
    {
        await using var old = await DeposedAsync();
        await using var next = await TestNode.LeaderAsync(_length);
        await using var follower = await TestNode.ProxyAsync(old.Url);
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        await Eventually.True(() => follower.Hold.Held == 1);

        follower.Leadership.Follow(next.Url, epoch: 2);

        Assert.Contains("\r\n1\r\n5\r\n0\r\n", await connection.ReceiveAllAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dead_leader_is_left_for_the_next_one()
    {
        await using var next = await TestNode.LeaderAsync(_length);
        await using var follower = await TestNode.ProxyAsync(ClosedPort());
        using var client = TestNode.Client();

        var answer = client.PostAsync(follower.Url, new ByteArrayContent(new byte[7]));
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Follow(next.Url, epoch: 2);

        Assert.Equal("7", await (await answer).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_same_leader_is_tried_again_when_it_admits_writes_after_all()
    {
        await using var leader = await TestNode.LeaderAsync(_length);
        leader.Leadership.Drain();
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        var answer = client.PostAsync(follower.Url, new ByteArrayContent(new byte[7]));
        await Eventually.True(() => follower.Hold.Held == 1);
        leader.Leadership.Lead();

        Assert.Equal("7", await (await answer).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("Content-Length: 5\r\n\r\nhello")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    public async Task A_refused_write_runs_here_with_its_whole_body_when_this_node_takes_over(string rest)
    {
        await using var old = await DeposedAsync();
        await using var follower = await TestNode.ProxyAsync(old.Url, new TestNodeSetup { App = _length });
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + rest);
        await Eventually.True(() => follower.Hold.Held == 1);

        follower.Leadership.Lead(epoch: 2);

        Assert.Contains("\r\n1\r\n5\r\n0\r\n", await connection.ReceiveAllAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task This_nodes_own_limit_counts_again_when_it_runs_here_after_all()
    {
        await using var old = await DeposedAsync();
        await using var follower = await TestNode.ProxyAsync(old.Url, new TestNodeSetup
        {
            App = _length,
            Builder = builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 3),
        });
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        await Eventually.True(() => follower.Hold.Held == 1);

        follower.Leadership.Lead(epoch: 2);

        Assert.StartsWith("HTTP/1.1 413", await connection.ReceiveAllAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_was_used_up_ends_in_503_not_executed()
    {
        // It reads everything before it refuses: possible when the lease is lost inside a handler.
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            throw new NotLeaderException();
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, new ByteArrayContent(new byte[200_000]));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("not executed", await answer.ErrorAsync());
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Equal("1", answer.Header("Retry-After"));
    }

    [Fact]
    public async Task Without_a_next_leader_the_dead_one_is_named_as_the_reason()
    {
        await using var follower = await TestNode.ProxyAsync(
            ClosedPort(), new TestNodeSetup { Options = o => o.WriteHold = TimeSpan.FromMilliseconds(100) });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, content: null);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Header("Retry-After"));
        var body = await answer.JsonAsync();
        Assert.Equal("leader unreachable", body.GetProperty("error").GetString());
        Assert.True(body.GetProperty("leader_known").GetBoolean());
    }

    [Fact]
    public async Task A_static_leader_that_is_down_gives_an_honest_answer_soon()
    {
        var url = ClosedPort();
        await using var follower = await TestNode.ProxyAsync(url, new TestNodeSetup { Options = o => o.StaticLeader = url });
        using var client = TestNode.Client();
        var started = TimeProvider.System.GetTimestamp();

        using var answer = await client.PostAsync(follower.Url, content: null);

        Assert.Equal("leader unreachable", await answer.ErrorAsync());

        // The hold of an election would be 7.5 s.
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(6));
    }

    [Fact]
    public async Task A_bare_503_of_the_application_is_never_repeated_and_its_mark_is_not_believed()
    {
        var runs = 0;
        await using var leader = new RawLeader(async (connection, _) =>
        {
            Interlocked.Increment(ref runs);
            await connection.SendAsync("HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, content: null);

        Assert.Equal("9", answer.Header("Retry-After"));
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task With_an_idempotency_key_that_the_endpoint_honours_an_unknown_outcome_is_tried_again()
    {
        await using var dying = new RawLeader((_, _) => Task.CompletedTask);
        await using var next = await TestNode.LeaderAsync(_length);
        await using var follower = await TestNode.ProxyAsync(dying.Url, new TestNodeSetup { AfterRouting = true, App = _length });
        using var client = TestNode.Client();

        var answer = client.SendAsync(WithKey(follower.Url, size: 9));
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Follow(next.Url, epoch: 2);

        Assert.Equal("9", await (await answer).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(true, false, 9)]
    [InlineData(false, true, 9)]
    [InlineData(true, true, 200_000)]
    public async Task Without_key_promise_or_kept_body_it_is_not(bool key, bool promise, int size)
    {
        await using var dying = new RawLeader(async (connection, headers) =>
        {
            if (size > 100_000)
            {
                await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
                await connection.ReceiveUntilAsync("\0\0\0");
            }
        });
        await using var follower = await TestNode.ProxyAsync(dying.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = promise ? _length : app => app.MapPost("/{**rest}", () => "ok"),
        });
        using var client = TestNode.Client();
        using var request = WithKey(follower.Url, size);
        if (!key)
        {
            request.Headers.Remove("Idempotency-Key");
        }

        using var answer = await client.SendAsync(request);

        Assert.Equal("outcome unknown", await answer.ErrorAsync());
        Assert.Equal(1, dying.Requests);
    }

    [Fact]
    public async Task Once_its_outcome_is_unknown_it_stays_so_whatever_is_refused_later()
    {
        await using var dying = new RawLeader((_, _) => Task.CompletedTask);
        await using var follower = await TestNode.ProxyAsync(dying.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = _length,
            Options = o => o.WriteHold = TimeSpan.FromMilliseconds(300),
        });
        using var client = TestNode.Client();

        var answer = client.SendAsync(WithKey(follower.Url, size: 1));
        await Eventually.True(() => dying.Requests > 0);
        follower.Leadership.LoseLeader();

        Assert.Equal(HttpStatusCode.BadGateway, (await answer).StatusCode);
    }

    [Fact]
    public async Task Once_its_outcome_is_unknown_it_stays_so_when_this_node_takes_over_and_refuses()
    {
        await using var dying = new RawLeader((_, _) => Task.CompletedTask);
        TestNode? node = null;
        await using var follower = await TestNode.ProxyAsync(dying.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = app => app.MapPost("/{**rest}", async (HttpContext context) =>
            {
                // The lease is lost inside the handler, which has read the body.
                await context.Request.Body.CopyToAsync(Stream.Null);
                node!.Leadership.Follow("http://next", epoch: 3);
                throw new NotLeaderException();
            }).HonorsIdempotencyKey(),
        });
        node = follower;
        using var client = TestNode.Client();

        var answer = client.SendAsync(WithKey(follower.Url, size: 9));
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Lead(epoch: 2);

        Assert.Equal("outcome unknown", await (await answer).ErrorAsync());
        Assert.Null((await answer).Header("X-Base-Not-Executed"));
    }

    [Fact]
    public async Task A_request_is_given_up_one_lease_after_its_leader()
    {
        await using var silent = new RawLeader(static (connection, _) => connection.ReceiveAllAsync());
        await using var follower = await TestNode.ProxyAsync(silent.Url, new TestNodeSetup { Options = Brief });
        using var client = TestNode.Client();

        var answer = client.PostAsync(follower.Url, content: null);
        await Eventually.True(() => silent.Requests == 1);
        follower.Leadership.Follow("http://next", epoch: 2);

        Assert.Equal("outcome unknown", await (await answer).ErrorAsync());
    }

    [Fact]
    public async Task A_forwarded_write_gets_no_second_hop()
    {
        await using var third = await TestNode.LeaderAsync(_length);
        await using var second = await TestNode.ProxyAsync(third.Url);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, second.Url) { Headers = { { "X-Base-Forwarded-By", "first" } } };

        using var answer = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Equal("not leader", await answer.ErrorAsync());
    }

    [Fact]
    public async Task A_loop_ends_at_its_first_node()
    {
        await using var follower = await TestNode.ProxyAsync("http://placeholder");
        follower.Leadership.Follow(follower.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, content: null);

        Assert.Equal(HttpStatusCode.LoopDetected, answer.StatusCode);
        Assert.Null(answer.Header("X-Base-Not-Executed"));
    }

    [Fact]
    public async Task A_leader_says_that_nothing_was_executed_even_when_it_tells_clients_nothing()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { Options = o => o.PublicInfo = false });
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, node.Url) { Headers = { { "X-Base-Forwarded-By", "other" } } };

        using var answer = await client.SendAsync(request);

        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
    }

    [Fact]
    public async Task A_refused_grpc_call_goes_to_the_next_leader_too()
    {
        var http2 = new TestNodeSetup { Protocols = HttpProtocols.Http2 };
        await using var old = await DeposedAsync(http2);
        await using var next = await TestNode.LeaderAsync(_length, http2);
        await using var follower = await TestNode.ProxyAsync(old.Url, http2);
        using var client = TestNode.Client();
        var content = new ByteArrayContent(new byte[7]) { Headers = { ContentType = new("application/grpc") } };

        var answer = client.SendAsync(new HttpRequestMessage(HttpMethod.Post, follower.Url)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        });
        await Eventually.True(() => follower.Hold.Held == 1);
        follower.Leadership.Follow(next.Url, epoch: 2);

        Assert.Equal("7", await (await answer).Content.ReadAsStringAsync());
    }

    private static void Brief(HaOptions options) =>
        (options.HeartbeatInterval, options.LeaseTimeout) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(200));

    private static async Task<TestNode> DeposedAsync(TestNodeSetup? setup = null) =>
        await TestNode.StartAsync((setup ?? new TestNodeSetup()) with { Id = "old" });

    private static Task<TestNode> ReadingAsync(string leader, Action<HaOptions>? options = null) =>
        TestNode.ProxyAsync(leader, new TestNodeSetup
        {
            AfterRouting = true,
            Options = options ?? (static _ => { }),
            App = static app => app.MapMethods("/", ["GET", "HEAD", "QUERY"], static () => "here").RequireLeader(),
        });

    private static HttpRequestMessage WithKey(string url, int size) => new(HttpMethod.Post, url)
    {
        Headers = { { "Idempotency-Key", "k1" } },
        Content = new ByteArrayContent(new byte[size]),
    };

    private static string ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }

    private static async Task ResetAllAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                using var socket = await listener.AcceptAsync();
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
            }
        }
        catch (Exception ending) when (ending is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
