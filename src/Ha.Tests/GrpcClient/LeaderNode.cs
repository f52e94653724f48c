using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.HealthCheck;
using Ha.Tests.Forwarding;
using Ha.Tests.GrpcCalls;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Tests.GrpcClient;

/// <summary>Where a node's health comes from.</summary>
internal enum HealthKind
{
    /// <summary>From the plugin and a leadership that the test makes up.</summary>
    Plugin,

    /// <summary>From a service whose status the test sets.</summary>
    Set,

    /// <summary>There is none, as on servers of old.</summary>
    None,
}

/// <summary>How a node differs from the plain one.</summary>
internal sealed record LeaderNodeSetup
{
    public HealthKind Health { get; init; }

    public X509Certificate2? Certificate { get; init; }

    public IPAddress Listen { get; init; } = IPAddress.Loopback;

    public int Port { get; init; }

    /// <summary>What the methods do; null: they answer with the node's name.</summary>
    public CallsMethod? Method { get; init; }
}

/// <summary>A server of <see cref="Calls"/> and of health behind a real listener for HTTP/2, whose connections are counted.</summary>
internal sealed class LeaderNode : IAsyncDisposable
{
    private readonly ConcurrentDictionary<ConnectionContext, bool> _open = [];
    private readonly HealthServiceImpl _health = new();
    private readonly WebApplication _app;
    private int _accepted;

    private LeaderNode(string name, LeaderNodeSetup setup)
    {
        Leadership = new FakeLeadership(name);
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(setup.Listen, setup.Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => async connection =>
            {
                Interlocked.Increment(ref _accepted);
                _open[connection] = true;
                await next(connection);
                _open.TryRemove(connection, out _);
            });
            if (setup.Certificate is not null)
            {
                listen.UseHttps(setup.Certificate);
            }
        }));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(setup.Method ?? ((_, _, context) =>
        {
            Calls.Enqueue(context.Host);
            return Task.FromResult(name);
        }));
        if (setup.Health == HealthKind.Plugin)
        {
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["BASE_NODE_ID"] = name,
                ["BASE_WRITE_HOLD"] = "0s",
            });
            builder.Services.AddSingleton<ILeaderProvider>(Leadership);
            builder.Services.AddHaGrpc();
        }
        else
        {
            builder.Services.AddGrpc();
            builder.Services.AddSingleton(_health);
        }

        _app = builder.Build();
        _app.MapGrpcService<CallsService>();
        switch (setup.Health)
        {
            case HealthKind.Plugin:
                _app.MapHaGrpcHealth();
                break;
            case HealthKind.Set:
                _app.MapGrpcService<HealthServiceImpl>();
                break;
        }
    }

    public FakeLeadership Leadership { get; }

    /// <summary>The authority of each call that got here.</summary>
    public ConcurrentQueue<string> Calls { get; } = [];

    public int Port => new Uri(_app.Urls.Single()).Port;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Connections that came so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Connections that are open now.</summary>
    public int Open => _open.Count;

    public static async Task<LeaderNode> StartAsync(string name, LeaderNodeSetup? setup = null)
    {
        var node = new LeaderNode(name, setup ?? new LeaderNodeSetup());
        await node._app.StartAsync();
        return node;
    }

    /// <summary>What a health service of <see cref="HealthKind.Set"/> says of <c>ha.Leader</c>.</summary>
    public LeaderNode Says(ServingStatus status)
    {
        _health.SetStatus("ha.Leader", status);
        return this;
    }

    /// <summary>Every connection is gone at once, and nobody listens any more.</summary>
    public async Task KillAsync()
    {
        foreach (var connection in _open.Keys)
        {
            connection.Abort();
        }

        await _app.StopAsync(new CancellationToken(canceled: true));
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await _app.DisposeAsync();
        Leadership.Dispose();
    }
}
