using System.Net;
using Ha.Endpoints.GrpcHealth;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>A node whose leadership the test makes up, behind a real listener for HTTP/2.</summary>
internal sealed class GrpcNode : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private WebApplication? _app;

    private GrpcNode(string self, string? leader, int maxWatches)
    {
        Node = new TestNode(self, leader);
        Feed = new HealthFeed(Node.Provider, Node.Clock, _stopping.Token);
        Node.GrpcHealth = new GrpcHealthEndpoint(Feed, Node.Metrics, TimeProvider.System, maxWatches);
    }

    public TestNode Node { get; }

    public HealthFeed Feed { get; }

    public static async Task<GrpcNode> StartAsync(string self = "node-a", string? leader = "node-a", int maxWatches = 100)
    {
        var node = new GrpcNode(self, leader, maxWatches);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Logging.ClearProviders();
        node._app = builder.Build();
        node.Node.Configure(node._app);
        await node._app.StartAsync();
        node._http.BaseAddress = new Uri(node._app.Urls.Single());
        return node;
    }

    public void BeginToStop() => _stopping.Cancel();

    public Task<GrpcCall> CheckAsync(string service) => CallAsync("Check", GrpcCall.Request(service));

    public Task<GrpcCall> WatchAsync(string service, string? timeout = null) => CallAsync("Watch", GrpcCall.Request(service), ("grpc-timeout", timeout));

    public async Task<GrpcCall> CallAsync(string method, byte[] body, params (string Name, string? Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/grpc.health.v1.Health/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/grpc") } },
        };
        request.Headers.TE.ParseAdd("trailers");
        foreach (var (name, value) in headers)
        {
            if (value is not null)
            {
                request.Headers.Add(name, value);
            }
        }

        var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new GrpcCall(answer, await answer.Content.ReadAsStreamAsync());
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        Feed.End();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        Feed.Dispose();
        _stopping.Dispose();
        await Node.DisposeAsync();
    }
}

/// <summary>One call under way, as a client sees it.</summary>
internal sealed class GrpcCall(HttpResponseMessage answer, Stream body) : IDisposable
{
    public HttpResponseMessage Answer => answer;

    /// <summary>Flag, length, and the field <c>service</c>.</summary>
    public static byte[] Request(string service) => service.Length == 0
        ? [0, 0, 0, 0, 0]
        : [0, 0, 0, 0, (byte)(service.Length + 2), 10, (byte)service.Length, .. System.Text.Encoding.ASCII.GetBytes(service)];

    /// <summary>The next status on the stream; null at its end.</summary>
    public async Task<string?> NextAsync()
    {
        var message = new byte[7];
        var read = await body.ReadAtLeastAsync(message, message.Length, throwOnEndOfStream: false);
        if (read == 0)
        {
            return null;
        }

        Assert.Equal([0, 0, 0, 0, 2, 8], message[..6]);
        return message[6] switch
        {
            1 => "SERVING",
            2 => "NOT_SERVING",
            3 => "SERVICE_UNKNOWN",
            var other => $"{other}",
        };
    }

    /// <summary>Everything until the end of the call: the statuses that came, then <c>grpc-status</c>.</summary>
    public async Task<string> RestAsync()
    {
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/grpc", answer.Content.Headers.ContentType?.ToString());
        var words = new List<string>();
        while (await NextAsync() is { } status)
        {
            words.Add(status);
        }

        var end = answer.TrailingHeaders.TryGetValues("grpc-status", out var trailers) ? trailers : answer.Headers.GetValues("grpc-status");
        return string.Join(' ', [.. words, end.Single()]);
    }

    public void Dispose() => answer.Dispose();
}
