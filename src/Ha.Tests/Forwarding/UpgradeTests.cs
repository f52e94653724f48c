using System.Net;
using System.Net.WebSockets;
using System.Text;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>WebSockets and SignalR: forwarded where an endpoint requires the leader, local where it does not.</summary>
public sealed class UpgradeTests
{
    [Theory]
    [InlineData(ForwardMode.Proxy)]
    [InlineData(ForwardMode.Redirect)]
    public async Task A_socket_that_requires_the_leader_is_carried_to_it(ForwardMode mode)
    {
        await using var leader = await SocketNodeAsync("leader", mode);
        leader.Leadership.Lead();
        await using var follower = await SocketNodeAsync("follower", mode);
        follower.Leadership.Follow(leader.Url);

        using var socket = await ConnectAsync(follower, "/leader");

        Assert.Equal("leader: hello", await AskAsync(socket, "hello"));
        Assert.Equal("leader: again", await AskAsync(socket, "again"));
        Assert.Equal(0, leader.Gate.Inside);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", CancellationToken.None);
        Assert.Equal(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
    }

    [Fact]
    public async Task A_socket_that_requires_nothing_stays_here()
    {
        await using var follower = await SocketNodeAsync("follower", ForwardMode.Proxy);
        follower.Leadership.Follow("http://127.0.0.1:1");

        using var socket = await ConnectAsync(follower, "/any");

        Assert.Equal("follower: hello", await AskAsync(socket, "hello"));
    }

    [Fact]
    public async Task A_socket_is_held_until_there_is_a_leader()
    {
        await using var node = await SocketNodeAsync("node", ForwardMode.Proxy);

        var connecting = ConnectAsync(node, "/leader");
        await Eventually.True(() => node.Hold.Held == 1);
        node.Leadership.Lead();

        using var socket = await connecting;
        Assert.Equal("node: hello", await AskAsync(socket, "hello"));
    }

    [Fact]
    public async Task A_leader_that_closes_takes_the_clients_socket_with_it()
    {
        await using var leader = await SocketNodeAsync("leader", ForwardMode.Proxy);
        leader.Leadership.Lead();
        await using var follower = await SocketNodeAsync("follower", ForwardMode.Proxy);
        follower.Leadership.Follow(leader.Url);
        using var socket = await ConnectAsync(follower, "/leader");
        await AskAsync(socket, "hello");

        // The endpoint watches the token of its leadership.
        leader.Leadership.LoseLeader();

        var end = await Record.ExceptionAsync(() => socket.ReceiveAsync(new byte[10], CancellationToken.None));
        Assert.True(end is WebSocketException || socket.CloseStatus == WebSocketCloseStatus.EndpointUnavailable);
    }

    [Fact]
    public async Task A_socket_over_http2_for_the_leader_is_refused()
    {
        await using var follower = await SocketNodeAsync("follower", ForwardMode.Proxy, HttpProtocols.Http2);
        follower.Leadership.Follow("http://leader");
        using var socket = new ClientWebSocket();
        socket.Options.HttpVersion = HttpVersion.Version20;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.CollectHttpResponseDetails = true;
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler());

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(Url(follower, "/leader"), invoker, CancellationToken.None));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, socket.HttpStatusCode);
    }

    [Theory]
    [InlineData("/hub/leader", "leader")]
    [InlineData("/hub/any", "follower")]
    public async Task A_hub_runs_where_its_endpoint_says(string path, string expected)
    {
        await using var leader = await SocketNodeAsync("leader", ForwardMode.Proxy);
        leader.Leadership.Lead();
        await using var follower = await SocketNodeAsync("follower", ForwardMode.Proxy);
        follower.Leadership.Follow(leader.Url);
        using var client = TestNode.Client();

        // Negotiation is a POST to the same endpoint, so it meets the same metadata.
        using var negotiated = await client.PostAsync(follower.Url + path + "/negotiate?negotiateVersion=1", content: null);
        var token = (await negotiated.JsonAsync()).GetProperty("connectionToken").GetString();
        using var socket = await ConnectAsync(follower, $"{path}?id={Uri.EscapeDataString(token!)}");
        Assert.Equal("{}\u001e", await AskAsync(socket, "{\"protocol\":\"json\",\"version\":1}\u001e"));

        var answer = await AskAsync(socket, "{\"type\":1,\"invocationId\":\"1\",\"target\":\"Where\",\"arguments\":[]}\u001e");

        Assert.Contains($"\"result\":\"{expected}\"", answer, StringComparison.Ordinal);
        Assert.Equal(0, leader.Gate.Inside);
    }

    private static Task<TestNode> SocketNodeAsync(string name, ForwardMode mode, HttpProtocols protocols = HttpProtocols.Http1) =>
        TestNode.StartAsync(new TestNodeSetup
        {
            Id = name,
            AfterRouting = true,
            Protocols = protocols,
            Options = o => o.ForwardMode = mode,
            Builder = builder =>
            {
                builder.Services.AddSignalR();
                builder.Services.AddSingleton(new NodeName(name));
            },
            App = app =>
            {
                app.UseWebSockets();
                app.Map("/leader", context => EchoAsync(context, name)).RequireLeader();
                app.Map("/any", context => EchoAsync(context, name));
                app.MapHub<WhereHub>("/hub/leader").RequireLeader();
                app.MapHub<WhereHub>("/hub/any").AllowOnAnyNode();
            },
        });

    private static async Task EchoAsync(HttpContext context, string name)
    {
        var lost = context.Features.Get<IHaFeature>()?.LeaseLost ?? CancellationToken.None;
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[1000];
        try
        {
            while (await socket.ReceiveAsync(buffer, lost) is { MessageType: not WebSocketMessageType.Close } received)
            {
                var text = $"{name}: {Encoding.UTF8.GetString(buffer, 0, received.Count)}";
                await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, lost);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", CancellationToken.None);
        }
        catch (OperationCanceledException)
        {
            context.Abort();
        }
    }

    private static Uri Url(TestNode node, string path) => new(node.Url.Replace("http:", "ws:", StringComparison.Ordinal) + path);

    private static async Task<ClientWebSocket> ConnectAsync(TestNode node, string path)
    {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(Url(node, path), CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20));
        return socket;
    }

    private static async Task<string> AskAsync(ClientWebSocket socket, string text)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, patience.Token);
        var buffer = new byte[1000];
        var received = await socket.ReceiveAsync(buffer, patience.Token);
        return Encoding.UTF8.GetString(buffer, 0, received.Count);
    }
}
