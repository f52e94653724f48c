using System.Net;
using Ha.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Client;

/// <summary>
/// Over HTTP/2 a peer may declare a request unprocessed, and the transport then sends it again by itself: from where the
/// body stands, unless it is kept from that.
/// </summary>
public class RefusedStreamTests
{
    public static TheoryData<string, string, int, bool> Refused()
    {
        var cases = new TheoryData<string, string, int, bool>();
        foreach (var handler in (string[])["ours", "SocketsHttpHandler", "HttpClientHandler"])
        {
            foreach (var content in (string[])["bytes", "stream", "passed on"])
            {
                foreach (var size in (int[])[0, 10, 70_000, 1_000_000])
                {
                    cases.Add(handler, content, size, false);
                    cases.Add(handler, content, size, true);
                }
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task Request_that_was_refused_in_its_body_is_sent_again_whole_or_not_at_all(string handler, string content, int size, bool goAway)
    {
        await using var server = new RawHttp2Server(number => (number > 1 ? Ending.Answer : goAway ? Ending.GoAway : Ending.RefuseStream, size / 2));
        await using var services = Services(server, handler);
        var body = Bytes(size);
        using var request = Post(Content(content, body));
        if (size <= 64 * 1024 || content == "bytes")
        {
            using var response = await Client(services).SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(body, Assert.Single(server.Answered));
            Assert.Equal(2, server.Requests);
            return;
        }

        var error = await Assert.ThrowsAnyAsync<Exception>(() => Client(services).SendAsync(request));
        Assert.Empty(server.Answered);

        // Headers of a second copy may have left before HttpClientHandler came for the body.
        Assert.IsType(handler == "HttpClientHandler" ? typeof(WriteOutcomeUnknownException) : typeof(LeaderRoutingException), error);
        Assert.Equal(handler == "HttpClientHandler" ? 2 : 1, Math.Max(server.Requests, handler == "HttpClientHandler" ? 2 : 1));
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Connection_to_a_host_that_vanished_is_given_up_by_its_pings()
    {
        await using var server = new RawHttp2Server(number => (number > 1 ? Ending.Answer : Ending.Silence, 0));
        using var client = new HttpClient(new LeaderRoutingHandler(new LeaderRoutingOptions { Nodes = [server.Url], AttemptTimeout = TimeSpan.FromSeconds(25) }));
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Url + "/notes")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("text"),
            Headers = { { "Idempotency-Key", "\"own\"" } },
        };
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var response = await client.SendAsync(request, stop.Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, server.Requests);
    }

    [Theory]
    [InlineData("ours")]
    [InlineData("SocketsHttpHandler")]
    public async Task Request_that_is_refused_before_its_body_keeps_it_and_is_sent_again(string handler)
    {
        await using var server = new RawHttp2Server(number => (number > 2 ? Ending.Answer : number == 1 ? Ending.GoAway : Ending.RefuseStream, 0));
        await using var services = Services(server, handler);
        var body = Bytes(1_000_000);
        using var request = Post(Content("passed on", body));
        await ExecutesOnceAsync(Client(services), request, server, body, requests: 3);
    }

    [Theory]
    [InlineData("ours", 10)]
    [InlineData("HttpClientHandler", 10)]
    [InlineData("ours", 1_000_000)]
    public async Task Node_that_refuses_again_and_again_has_provably_executed_nothing(string handler, int size)
    {
        // The transport gives up after four copies; the routing goes on.
        await using var server = new RawHttp2Server(number => (number > 6 ? Ending.Answer : Ending.RefuseStream, 0));
        await using var services = Services(server, handler);
        var body = Bytes(size);
        using var request = Post(Content("stream", body));
        await ExecutesOnceAsync(Client(services), request, server, body, requests: 7);
    }

    private static async Task ExecutesOnceAsync(HttpClient client, HttpRequestMessage request, RawHttp2Server server, byte[] body, int requests)
    {
        try
        {
            using var response = await client.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(body, Assert.Single(server.Answered));
            Assert.Equal(requests, server.Requests);
        }
        catch (WriteOutcomeUnknownException error) when (body.Length > 64 * 1024 && error.InnerException is OperationCanceledException)
        {
            // Which of two comes first is up to .NET's transport: the peer's word, or the end of its own wait for "100 Continue",
            // after which it does not tell what the peer said. Then nothing is proven, and nothing may be sent again.
            Assert.Empty(server.Answered);
        }
    }

    private static HttpRequestMessage Post(HttpContent content) => new(HttpMethod.Post, "/upload")
    {
        Content = content,
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static HttpContent Content(string kind, byte[] body) => kind switch
    {
        "bytes" => new ByteArrayContent(body),
        "stream" => new StreamContent(new MemoryStream(body)),
        _ => new PassedOn(new MemoryStream(body)),
    };

    private static byte[] Bytes(int size)
    {
        var bytes = new byte[size];
        for (var i = 0; i < size; i++)
        {
            bytes[i] = (byte)(i * 31 >> 3);
        }

        return bytes;
    }

    private static ServiceProvider Services(RawHttp2Server server, string handler)
    {
        var services = new ServiceCollection();
        var client = services.AddHttpClient("api").AddLeaderRouting(options => options.Nodes = [server.Url]);
        if (handler == "SocketsHttpHandler")
        {
            client.ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        }
        else if (handler == "HttpClientHandler")
        {
            client.ConfigurePrimaryHttpMessageHandler(() => new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false });
        }

        return services.BuildServiceProvider();
    }

    private static HttpClient Client(ServiceProvider services) => services.GetRequiredService<IHttpClientFactory>().CreateClient("api");

    /// <summary>Reads on from where its stream stands, as contents do that pass a request on.</summary>
    private sealed class PassedOn(Stream stream) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream target, TransportContext? context) => stream.CopyToAsync(target);

        protected override Task SerializeToStreamAsync(Stream target, TransportContext? context, CancellationToken cancellationToken) =>
            stream.CopyToAsync(target, cancellationToken);

        protected override bool TryComputeLength(out long length)
        {
            length = stream.Length;
            return true;
        }
    }
}
