using System.Net;
using Ha.Configuration;
using Ha.Forwarding;
using Ha.Forwarding.Local;
using Ha.Leadership;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Pipelines;

/// <summary>
/// One real server that outlives many cases: <c>AddHa()</c> with a leadership that the test controls, and a pipeline
/// that is built anew for each case.
/// </summary>
internal sealed class PipelineNode : IAsyncDisposable
{
    private static readonly TimeSpan _heartbeat = TimeSpan.FromMilliseconds(100);

    // Nodes of one cluster share their keys, or no antiforgery token passes from one to the other.
    private static readonly EphemeralDataProtectionProvider _keys = new();

    private readonly WebApplication _app;
    private readonly Dictionary<HaSettings, ForwardingNode> _nodes = [];
    private readonly HaSettings _plain;
    private ForwardingNode _current;
    private RequestDelegate _pipeline = static _ => Task.CompletedTask;
    private bool _handlesExceptions;

    private PipelineNode(int index)
    {
        Index = index;
        Leadership = new FakeLeadership(Id);
        _plain = TestSettings.From(o => (o.NodeId, o.HeartbeatInterval) = (Id, _heartbeat));

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        AddServices(builder.Services);
        _app = builder.Build();
        _current = NodeWith(_plain);
        _app.Run(RunAsync);
    }

    public int Index { get; }

    public string Id => $"node-{Index}";

    public FakeLeadership Leadership { get; }

    /// <summary>Who is in the pipeline at all.</summary>
    public WriteGate Inside { get; } = new();

    /// <summary>Writes that hold up a handover.</summary>
    public long Writes => _current.Node.Gate.Inside;

    public int Held => _current.Forwarding.Hold.Held;

    public string Url { get; private set; } = "";

    public string Http2Url { get; private set; } = "";

    public IServiceProvider Services => _app.Services;

    public static async Task<PipelineNode> StartAsync(int index)
    {
        var node = new PipelineNode(index);
        await node._app.StartAsync();
        var urls = node._app.Urls.ToArray();
        (node.Url, node.Http2Url) = (urls[0], urls[1]);
        return node;
    }

    /// <summary>Makes this node one of <paramref name="drawn"/>, until the next.</summary>
    public void Become(PipelineCase drawn, CaseHandler handler, Sabotage sabotage)
    {
        _current = NodeWith(_plain with { ForwardMode = drawn.Mode, WriteHold = drawn.Hold, PublicInfo = drawn.PublicInfo });
        _handlesExceptions = drawn.HandlesExceptions;
        Services.GetRequiredService<IOptions<RequestTimeoutOptions>>().Value.DefaultPolicy =
            drawn.DefaultTimeout is { } timeout ? new RequestTimeoutPolicy { Timeout = timeout } : null;
        var app = new PipelineBuilder(drawn, context => sabotage.HandleAsync(handler, context, Index)).Build(new CaseServices(Services, _current));
        _pipeline = sabotage.Around(this, app);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        foreach (var node in _nodes.Values)
        {
            node.Forwarding.Dispose();
        }

        await _app.DisposeAsync();
        Leadership.Dispose();
    }

    /// <summary>What a node shares between requests, one for all cases with the same settings.</summary>
    private ForwardingNode NodeWith(HaSettings settings)
    {
        if (!_nodes.TryGetValue(settings, out var made))
        {
            var node = new HaNode(settings, Leadership, TimeProvider.System);
            made = new ForwardingNode(node, ActivatorUtilities.CreateInstance<ForwardingServices>(Services, node));
            _nodes.Add(settings, made);
        }

        return made;
    }

    private async Task RunAsync(HttpContext context)
    {
        Inside.Enter();
        try
        {
            await _pipeline(context);
        }
        finally
        {
            Inside.Exit();
        }
    }

    private void AddServices(IServiceCollection services)
    {
        services.AddSingleton<IExceptionHandler>(new OwnExceptionHandler(this));
        services.AddHa();
        services.AddSingleton(_ => _current.Node);

        // The pipeline is ours to build, and nobody is elected.
        services.RemoveAll<IStartupFilter>();
        services.RemoveAll<IHostedService>();

        // An endpoint whose metadata nobody read throws; here it is one more that must do no harm.
        services.Remove(services.Single(service => service.ImplementationType == typeof(UnseenEndpointPolicy)));
        services.AddRouting();
        services.AddProblemDetails();
        services.AddRequestTimeouts();
        services.AddRequestDecompression();
        services.AddResponseCaching();
        services.AddResponseCompression();
        services.AddCors();
        services.AddOutputCache(cache =>
        {
            cache.SizeLimit = 1 << 20;
            cache.AddBasePolicy(policy => policy.Cache());
        });
        services.AddAntiforgery();
        services.Replace(ServiceDescriptor.Singleton<IDataProtectionProvider>(_keys));
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
    }

    private sealed class OwnExceptionHandler(PipelineNode node) : IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
        {
            if (!node._handlesExceptions)
            {
                return false;
            }

            await httpContext.Response.WriteAsync("handled by the application", cancellationToken);
            return true;
        }
    }
}
