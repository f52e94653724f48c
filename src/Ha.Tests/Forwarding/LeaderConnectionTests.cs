using System.Net;
using System.Net.WebSockets;
using System.Text;
using Ha.Forwarding.Local;
using Ha.Leadership;
using Ha.Telemetry;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>What stays connected to a leader ends when it leads no more, whether or not the application watches the lease.</summary>
public sealed class LeaderConnectionTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);

    private readonly TaskCompletionSource _more = new();
    private int _requests;

    [Theory]
    [InlineData("/socket", false)]
    [InlineData("/socket", true)]
    [InlineData("/hub", false)]
    [InlineData("/hub", true)]
    public async Task A_socket_ends_with_the_leadership(string path, bool throughFollower)
    {
        await using var leader = await NodeAsync("leader");
        leader.Leadership.Lead();
        await using var follower = await NodeAsync("follower");
        follower.Leadership.Follow(leader.Url);
        using var socket = await ConnectAsync(throughFollower ? follower : leader, path);
        await AskAsync(socket, path);

        leader.Leadership.LoseLeader();

        await AssertEndsAsync(socket);
        AssertNothingReported(leader);
    }

    [Theory]
    [InlineData("/socket/any")]
    [InlineData("/hub/any")]
    public async Task A_socket_for_any_node_stays(string path)
    {
        await using var leader = await NodeAsync("leader");
        leader.Leadership.Lead();
        using var socket = await ConnectAsync(leader, path);
        await AskAsync(socket, path);

        leader.Leadership.LoseLeader();

        await AskAsync(socket, path);
    }

    [Fact]
    public async Task A_poll_of_a_hub_ends_with_the_leadership()
    {
        await using var leader = await NodeAsync("leader");
        leader.Leadership.Lead();
        using var client = TestNode.Client();
        var url = $"{leader.Url}/hub?id={await NegotiateAsync(client, leader, "/hub")}";
        using var first = await client.GetAsync(url);
        using var handshake = await client.PostAsync(url, new StringContent("{\"protocol\":\"json\",\"version\":1}\u001e"));
        using var answered = await client.GetAsync(url);
        var before = Volatile.Read(ref _requests);
        var poll = client.GetAsync(url);
        await Eventually.True(() => Volatile.Read(ref _requests) > before);

        leader.Leadership.LoseLeader();

        await Assert.ThrowsAsync<HttpRequestException>(() => poll.WaitAsync(_patience));
        AssertNothingReported(leader);
    }

    [Theory]
    [InlineData("/events", false)]
    [InlineData("/events", true)]
    [InlineData("/grpc", false)]
    [InlineData("/grpc", true)]
    public async Task A_stream_ends_with_the_leadership(string path, bool throughFollower)
    {
        var protocols = path is "/grpc" ? HttpProtocols.Http2 : HttpProtocols.Http1;
        await using var leader = await NodeAsync("leader", protocols);
        leader.Leadership.Lead();
        await using var follower = await NodeAsync("follower", protocols);
        follower.Leadership.Follow(leader.Url);
        using var client = TestNode.Client();
        using var answer = await StreamAsync(client, throughFollower ? follower : leader, path);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        await stream.ReadExactlyAsync(new byte[5]);

        leader.Leadership.LoseLeader();

        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(Stream.Null).WaitAsync(_patience));
        AssertNothingReported(leader);
    }

    [Fact]
    public async Task A_gRPC_answer_that_has_begun_has_one_lease_more_to_arrive()
    {
        var clock = new ManualTime();
        await using var leader = await NodeAsync("leader", HttpProtocols.Http2, clock);
        leader.Leadership.Lead();
        using var client = TestNode.Client();
        using var answer = await StreamAsync(client, leader, "/grpc");
        await using var stream = await answer.Content.ReadAsStreamAsync();
        await stream.ReadExactlyAsync(new byte[5]);

        leader.Leadership.LoseLeader();
        clock.Advance(TimeSpan.FromMilliseconds(999));
        _more.SetResult();
        await stream.ReadExactlyAsync(new byte[5]).AsTask().WaitAsync(_patience);

        clock.Advance(TimeSpan.FromMilliseconds(1));
        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(Stream.Null).WaitAsync(_patience));
        AssertNothingReported(leader);
    }

    [Fact]
    public async Task What_was_admitted_just_before_the_end_is_not_run_but_goes_to_the_next_leader()
    {
        using var leadership = new FakeLeadership("me").Lead();
        var clock = new ManualTime();
        using var grace = new AnswerGrace(leadership, clock, TimeSpan.FromSeconds(1));
        using var node = new HaNode(TestSettings.From(o => o.NodeId = "me"), leadership, clock);
        var runs = 0;
        var pipeline = new LeaderPipeline(
            _ =>
            {
                runs++;
                return Task.CompletedTask;
            },
            node,
            grace,
            new ForwardingReports(new RecordedLogs(), clock));
        var connection = new Connection();
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpRequestLifetimeFeature>(connection);
        node.Gate.Enter();
        var admitted = leadership.Current;
        leadership.LoseLeader();

        var refusal = await pipeline.RunAsync(context, admitted, longLived: true);

        Assert.IsType<NotLeaderException>(refusal);
        Assert.Equal(0, runs);
        Assert.False(connection.WasAborted);
        Assert.Equal(0, node.Gate.Inside);
    }

    [Theory]
    [InlineData("/socket")]
    [InlineData("/events")]
    public async Task A_follower_ends_what_it_has_with_a_leader_that_vanished(string path)
    {
        await using var leader = await NodeAsync("leader");
        leader.Leadership.Lead();
        await using var follower = await NodeAsync("follower");
        follower.Leadership.Follow(leader.Url);
        using var client = TestNode.Client();
        using var socket = path is "/socket" ? await ConnectAsync(follower, path) : null;
        using var answer = socket is null ? await StreamAsync(client, follower, path) : null;

        // The old leader, whose host is gone, never says anything again.
        follower.Leadership.LoseLeader();

        if (socket is not null)
        {
            await AssertEndsAsync(socket);
            return;
        }

        await using var stream = await answer!.Content.ReadAsStreamAsync();
        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(Stream.Null).WaitAsync(_patience));
    }

    [Fact]
    public async Task What_was_over_before_takes_no_later_request_of_its_connection_with_it()
    {
        await using var leader = await NodeAsync("leader");
        leader.Leadership.Lead();
        using var connection = await RawConnection.ConnectAsync(leader.Port);
        await connection.SendAsync("POST /hub/negotiate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        await connection.ReceiveUntilAsync("availableTransports");
        await connection.SendAsync("GET /lose HTTP/1.1\r\nHost: a\r\n\r\n");

        await connection.ReceiveUntilAsync("still here");
    }

    private Task<TestNode> NodeAsync(string id, HttpProtocols protocols = HttpProtocols.Http1, TimeProvider? clock = null)
    {
        TestNode? self = null;
        return StartAsync();

        async Task<TestNode> StartAsync() => self = await TestNode.StartAsync(new TestNodeSetup
        {
            Id = id,
            AfterRouting = true,
            Protocols = protocols,
            Clock = clock ?? TimeProvider.System,
            Options = static o =>
            {
                o.ForwardMode = ForwardMode.Proxy;
                o.LeaseTimeout = TimeSpan.FromSeconds(1);
            },
            Builder = static builder => builder.Services.AddSignalR(),
            App = app =>
            {
                app.Use((context, next) =>
                {
                    Interlocked.Increment(ref _requests);
                    return next(context);
                });
                app.UseWebSockets();
                app.Map("/socket", EchoAsync).RequireLeader();
                app.Map("/socket/any", EchoAsync);
                app.MapHub<EchoHub>("/hub").RequireLeader();
                app.MapHub<EchoHub>("/hub/any").AllowOnAnyNode();
                app.MapGet("/events", context => StreamAsync(context, "text/event-stream")).RequireLeader();
                app.MapPost("/grpc", context => StreamAsync(context, "application/grpc"));
                app.MapGet("/lose", async () =>
                {
                    self!.Leadership.LoseLeader();
                    await Task.Delay(100);
                    return "still here";
                });
            },
        });
    }

    private static async Task EchoAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[1000];
        try
        {
            while (await socket.ReceiveAsync(buffer, CancellationToken.None) is { MessageType: not WebSocketMessageType.Close } received)
            {
                await socket.SendAsync(buffer.AsMemory(0, received.Count), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
            }
        }
        catch (WebSocketException)
        {
            // The client has gone.
        }
    }

    private async Task StreamAsync(HttpContext context, string contentType)
    {
        context.Response.ContentType = contentType;
        await context.Response.WriteAsync("data:");
        await context.Response.Body.FlushAsync();
        await _more.Task.WaitAsync(context.RequestAborted);
        await context.Response.WriteAsync("more:");
        await context.Response.Body.FlushAsync();
        await Task.Delay(Timeout.Infinite, context.RequestAborted);
    }

    private static Task<HttpResponseMessage> StreamAsync(HttpClient client, TestNode node, string path)
    {
        var request = new HttpRequestMessage(path is "/grpc" ? HttpMethod.Post : HttpMethod.Get, node.Url + path);
        if (path is "/grpc")
        {
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            request.Content = new ByteArrayContent([0, 0, 0, 0, 0]) { Headers = { ContentType = new("application/grpc") } };
        }

        return client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static async Task<string> NegotiateAsync(HttpClient client, TestNode node, string path)
    {
        using var negotiated = await client.PostAsync($"{node.Url}{path}/negotiate?negotiateVersion=1", content: null);
        return Uri.EscapeDataString((await negotiated.JsonAsync()).GetProperty("connectionToken").GetString()!);
    }

    private static async Task<ClientWebSocket> ConnectAsync(TestNode node, string path)
    {
        var query = "";
        if (path.StartsWith("/hub", StringComparison.Ordinal))
        {
            using var client = TestNode.Client();
            query = "?id=" + await NegotiateAsync(client, node, path);
        }

        var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri(node.Url.Replace("http:", "ws:", StringComparison.Ordinal) + path + query), CancellationToken.None).WaitAsync(_patience);
        if (query.Length > 0)
        {
            Assert.Equal("{}\u001e", await AskTextAsync(socket, "{\"protocol\":\"json\",\"version\":1}\u001e"));
        }

        return socket;
    }

    private static async Task AskAsync(ClientWebSocket socket, string path)
    {
        var hub = path.StartsWith("/hub", StringComparison.Ordinal);
        var answer = await AskTextAsync(socket, hub ? "{\"type\":1,\"invocationId\":\"1\",\"target\":\"Echo\",\"arguments\":[\"hello\"]}\u001e" : "hello");
        Assert.Contains("hello", answer, StringComparison.Ordinal);
    }

    private static async Task<string> AskTextAsync(ClientWebSocket socket, string text)
    {
        using var patience = new CancellationTokenSource(_patience);
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, patience.Token);
        var buffer = new byte[1000];
        var received = await socket.ReceiveAsync(buffer, patience.Token);
        return Encoding.UTF8.GetString(buffer, 0, received.Count);
    }

    private static async Task AssertEndsAsync(ClientWebSocket socket)
    {
        using var patience = new CancellationTokenSource(_patience);
        await Assert.ThrowsAsync<WebSocketException>(async () => await socket.ReceiveAsync(new byte[1000], patience.Token));
    }

    private static void AssertNothingReported(TestNode node) => Assert.DoesNotContain(node.Logs.Entries, static entry => entry.Id is >= 1200 and < 1300);

    private sealed class Connection : IHttpRequestLifetimeFeature
    {
        public bool WasAborted { get; private set; }

        public CancellationToken RequestAborted { get; set; }

        public void Abort() => WasAborted = true;
    }

    private sealed class EchoHub : Hub
    {
        public string Echo(string text) => $"{text} {Context.ConnectionId}";
    }
}
