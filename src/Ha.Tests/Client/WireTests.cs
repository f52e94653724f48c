using System.Net;
using System.Net.Sockets;
using System.Text;
using Ha.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Client;

/// <summary>What only real sockets show.</summary>
public class WireTests
{
    // Answers the first request, so that the connection is used again, and closes without a word on all others.
    private static Task<bool> CloseAfterFirst(int number, string head, NetworkStream stream) =>
        number == 1 ? RawServer.OkAsync(stream) : Task.FromResult(false);

    [Fact]
    public async Task Write_without_a_body_on_a_connection_that_closes_is_sent_once()
    {
        await using var server = new RawServer(CloseAfterFirst);
        await using var services = Services([server.Url]);
        var client = Client(services);
        using var first = await client.GetAsync("/");
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => client.DeleteAsync("/notes/1"));
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task HttpClient_by_itself_sends_such_a_write_several_times()
    {
        // Why a content object is attached: the day this fails, that need is gone.
        await using var server = new RawServer(CloseAfterFirst);
        using var client = new HttpClient { BaseAddress = new Uri(server.Url) };
        using var first = await client.GetAsync("/");
        await Assert.ThrowsAsync<HttpRequestException>(() => client.DeleteAsync("/notes/1"));
        Assert.True(server.Requests > 2, $"{server.Requests} requests");
    }

    [Fact]
    public async Task Write_that_waits_for_100_on_a_connection_that_closes_is_sent_once()
    {
        await using var server = new RawServer(CloseAfterFirst);
        await using var services = Services([server.Url], o => o.MaxBufferedBodyBytes = 0);
        var client = Client(services);
        using var first = await client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        using var content = new ByteArrayContent(new byte[4096]);
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => client.PostAsync("/notes", content));
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task HttpClient_by_itself_sends_that_one_several_times_too()
    {
        await using var server = new RawServer(CloseAfterFirst);
        using var client = new HttpClient { BaseAddress = new Uri(server.Url) };
        using var first = await client.GetAsync("/");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Content = new ByteArrayContent(new byte[4096]) };
        request.Headers.ExpectContinue = true;
        await Assert.ThrowsAsync<HttpRequestException>(() => client.SendAsync(request));
        Assert.True(server.Requests > 2, $"{server.Requests} requests");
    }

    [Fact]
    public async Task Stream_is_uploaded_once_although_a_follower_redirects_it()
    {
        long atFollower = 0, atLeader = 0;
        await using var leader = await StartAsync(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            atLeader += body.Length;
        });

        // Has nothing to say at /_ha/leader, and redirects like the real one: without a look at the body.
        await using var follower = new RawServer(async (_, head, stream) =>
        {
            if (head.StartsWith("GET", StringComparison.Ordinal))
            {
                return await RawServer.OkAsync(stream);
            }

            var redirect = $"HTTP/1.1 307 Temporary Redirect\r\nLocation: {Url(leader)}/upload\r\nContent-Length: 0\r\n\r\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes(redirect));
            var rest = new byte[4096];
            while (await stream.ReadAsync(rest) is var count and > 0)
            {
                atFollower += count;
            }

            return false;
        });
        await using var services = Services([follower.Url, Url(leader)]);
        var client = Client(services);
        for (var i = 0; i < 3; i++)
        {
            using var content = new StreamContent(new MemoryStream(new byte[1_000_000]));
            using var response = await client.PostAsync("/upload", content);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.Equal(3_000_000, atLeader);
        Assert.InRange(follower.Requests, 1, 6);
        Assert.Equal(0, atFollower);
    }

    [Fact]
    public async Task Node_that_refuses_connections_is_passed_over()
    {
        await using var alive = await StartAsync(_ => Task.CompletedTask);
        await using var services = Services([Closed(), Url(alive), Closed()]);
        var client = Client(services);
        for (var i = 0; i < 6; i++)
        {
            using var read = await client.GetAsync("/");
            using var write = await client.PostAsync("/notes", content: null);
            Assert.Equal(HttpStatusCode.OK, write.StatusCode);
        }
    }

    [Fact]
    public async Task Connecting_to_a_silent_node_costs_one_connect_timeout_and_proves_that_nothing_was_executed()
    {
        // Its TLS handshake never gets an answer, as with a host that is gone.
        await using var silent = new RawServer((_, _, _) => Task.FromResult(true));
        await using var services = Services(
            [silent.Url.Replace("http:", "https:", StringComparison.Ordinal)],
            o => (o.ConnectTimeout, o.AttemptTimeout, o.Deadline) = (TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2)));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => Client(services).PostAsync("/notes", content: null));
        Assert.Matches("ConnectTimeout|no connection within", error.Message);
        Assert.InRange(silent.Connections, 2, 10);
    }

    private static ServiceProvider Services(string[] nodes, Action<LeaderRoutingOptions>? configure = null)
    {
        var services = new ServiceCollection();
        services.AddHttpClient("api").AddLeaderRouting(options =>
        {
            options.Nodes = nodes;
            configure?.Invoke(options);
        });
        return services.BuildServiceProvider();
    }

    private static HttpClient Client(ServiceProvider services) => services.GetRequiredService<IHttpClientFactory>().CreateClient("api");

    private static async Task<WebApplication> StartAsync(RequestDelegate handler)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(handler);
        await app.StartAsync();
        return app;
    }

    private static string Url(WebApplication app) => app.Urls.Single();

    private static string Closed()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return $"http://127.0.0.1:{((IPEndPoint)socket.LocalEndPoint!).Port}";
    }
}
