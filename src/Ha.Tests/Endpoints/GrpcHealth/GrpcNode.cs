using System.Diagnostics.Metrics;
using System.Net;
using Ha.Grpc.Health;
using Ha.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>How a node of these tests differs from the plain one.</summary>
internal sealed record GrpcNodeSetup
{
    public int MaxWatches { get; init; } = 100;

    public Action<WebApplicationBuilder> Builder { get; init; } = static _ => { };

    /// <summary>What is in the pipeline beside gRPC health.</summary>
    public Action<WebApplication> App { get; init; } = static _ => { };

    public HttpProtocols Protocols { get; init; } = HttpProtocols.Http2;
}

/// <summary>A node whose leadership the test makes up, behind a real listener for HTTP/2.</summary>
internal sealed class GrpcNode : IAsyncDisposable
{
    private readonly ShutdownSignal _shutdown = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private WebApplication? _app;

    private GrpcNode(string self, string? leader) => Node = new TestNode(self, leader);

    public TestNode Node { get; }

    public WebApplication App => _app!;

    public string Url => App.Urls.Single();

    public static async Task<GrpcNode> StartAsync(string self = "node-a", string? leader = "node-a", GrpcNodeSetup? setup = null)
    {
        setup ??= new GrpcNodeSetup();
        var node = new GrpcNode(self, leader);
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = setup.Protocols));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ILeaderProvider>(node.Node.Provider);
        builder.Services.AddSingleton(services => new HealthFeed(node.Node.Provider, services.GetRequiredService<INodeReadiness>(), node.Node.Clock));
        builder.Services.AddSingleton(services => new OpenWatches(services.GetRequiredService<IMeterFactory>()) { Most = setup.MaxWatches });
        builder.Services.AddHaGrpc(o => o.LeaderServices.Add("shop.v1.Orders"));
        builder.Services.AddSingleton(node._shutdown);
        setup.Builder(builder);
        node._app = builder.Build();
        setup.App(node._app);
        node._app.MapHaGrpcHealth();
        await node._app.StartAsync();
        node._http.BaseAddress = new Uri(node.Url);
        return node;
    }

    public void BeginToStop() => _shutdown.Fire();

    public void Close() => _shutdown.Close();

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
        Close();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        _shutdown.Dispose();
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
        var read = await body.ReadAtLeastAsync(message, message.Length, throwOnEndOfStream: false).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
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
