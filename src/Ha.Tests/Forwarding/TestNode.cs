using System.Net;
using System.Security.Cryptography.X509Certificates;
using Ha.Consistency;
using Ha.Forwarding;
using Ha.Forwarding.Local;
using Ha.Hosting;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Forwarding;

/// <summary>How a test node differs from the plain one.</summary>
internal sealed record TestNodeSetup
{
    public string Id { get; init; } = "node";

    public Action<HaOptions> Options { get; init; } = static _ => { };

    public Action<WebApplicationBuilder> Builder { get; init; } = static _ => { };

    public Action<WebApplication> App { get; init; } = static _ => { };

    /// <summary>What stands before the middleware, where that stands after routing.</summary>
    public Action<WebApplication> Before { get; init; } = static _ => { };

    /// <summary>True: the middleware stands after routing, as with <c>UseHa()</c>. False: outside of everything.</summary>
    public bool AfterRouting { get; init; }

    public HttpProtocols Protocols { get; init; } = HttpProtocols.Http1;

    public string Environment { get; init; } = Environments.Production;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How this node finds the addresses of a leader; null: as the system does.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>>? Resolve { get; init; }

    /// <summary>Instead of <see cref="Resolve"/>: what heartbeats share with the node.</summary>
    public MemberAddresses? Addresses { get; init; }

    /// <summary>What reads wait by; null: nothing.</summary>
    public ReadConsistency? Consistency { get; init; }

    /// <summary>Not null: the node listens with TLS.</summary>
    public X509Certificate2? Certificate { get; init; }
}

/// <summary>One node: a real Kestrel on a free port, the write path, and a leadership that the test controls.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly NodeTls _tls;
    private readonly MemberAddresses _addresses;
    private readonly HaNode _node;
    private readonly ForwardingServices _forwarding;

    private TestNode(TestNodeSetup setup)
    {
        Leadership = new FakeLeadership(setup.Id, setup.Clock);
        var settings = TestSettings.From(options =>
        {
            options.NodeId = setup.Id;
            setup.Options(options);
        });
        _node = new HaNode(settings, Leadership, setup.Clock);
        _tls = HaNodeFactory.CreateTls(settings, new ElectionTelemetry(Logs, Metrics, setup.Clock));

        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = setup.Environment });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = setup.Protocols;
            if (setup.Certificate is not null)
            {
                listen.UseHttps(setup.Certificate);
            }
        }));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        ExceptionCatchers.Add(builder.Services);
        Func<RequestDelegate, RequestDelegate> middleware = next => _forwarding!.Create(next, routingRan: true).InvokeAsync;
        builder.Services.AddSingleton<IStartupFilter>(new First(next => _forwarding!.CreateArrival(next).InvokeAsync));
        if (!setup.AfterRouting)
        {
            builder.Services.AddSingleton<IStartupFilter>(new First(middleware));
        }

        setup.Builder(builder);
        _app = builder.Build();
        var server = _app.Services.GetRequiredService<IOptions<KestrelServerOptions>>();
        _addresses = setup.Addresses ?? new MemberAddresses(setup.Resolve);
        Reads = setup.Consistency is null ? null
            : new ConsistentReads(setup.Consistency, settings, Leadership, setup.Clock, Metrics, new ConsistencyReports(Logs, setup.Clock));
        _forwarding = new ForwardingServices(_node, Metrics, Logs, _tls, server, _addresses, Reads);
        if (setup.AfterRouting)
        {
            setup.Before(_app);
            _app.UseRouting();
            _app.Use(middleware);
        }

        setup.App(_app);
    }

    public FakeLeadership Leadership { get; }

    public WriteGate Gate => _node.Gate;

    public WriteHold Hold => _forwarding.Hold;

    public ConsistentReads? Reads { get; }

    public RecordedLogs Logs { get; } = new();

    public HaMetrics Metrics { get; } = new();

    public string Url { get; private set; } = "";

    public int Port => new Uri(Url).Port;

    public static async Task<TestNode> StartAsync(TestNodeSetup setup)
    {
        var node = new TestNode(setup);
        await node._app.StartAsync();
        node.Url = node._app.Urls.Single();
        return node;
    }

    /// <summary>A node that leads, with the given endpoints.</summary>
    public static async Task<TestNode> LeaderAsync(Action<WebApplication> app, TestNodeSetup? setup = null)
    {
        var node = await StartAsync((setup ?? new TestNodeSetup()) with { Id = "leader", App = app });
        node.Leadership.Lead();
        return node;
    }

    /// <summary>A node in proxy mode that follows <paramref name="leaderUrl"/>.</summary>
    public static async Task<TestNode> ProxyAsync(string leaderUrl, TestNodeSetup? setup = null)
    {
        setup ??= new TestNodeSetup();
        var options = setup.Options;
        var node = await StartAsync(setup with
        {
            Id = "follower",
            Options = o =>
            {
                o.ForwardMode = ForwardMode.Proxy;
                options(o);
            },
        });
        node.Leadership.Follow(leaderUrl);
        return node;
    }

    public static HttpClient Client() => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });

    public async ValueTask DisposeAsync()
    {
        Hold.Stop();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _forwarding.Dispose();
        _node.Dispose();
        _tls.Dispose();
        _addresses.Dispose();
        Metrics.Dispose();
        Leadership.Dispose();
    }

    private sealed class First(Func<RequestDelegate, RequestDelegate> middleware) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(middleware);
            next(app);
        };
    }
}
