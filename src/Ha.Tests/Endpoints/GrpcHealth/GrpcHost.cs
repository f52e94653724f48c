using System.Net;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using HealthClient = Grpc.Health.V1.Health.HealthClient;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>An application with nothing but gRPC health, as its settings make it, and a client.</summary>
internal sealed class GrpcHost : IAsyncDisposable
{
    private readonly Lazy<GrpcChannel> _channel;

    public GrpcHost((string Key, string? Value)[] variables)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Configuration.AddInMemoryCollection(variables.Select(v => KeyValuePair.Create(v.Key, v.Value)));
        builder.Logging.ClearProviders();
        builder.Services.AddHaGrpc();
        App = builder.Build();
        App.MapHaGrpcHealth();
        _channel = new(() => GrpcChannel.ForAddress(App.Urls.Single(), new() { HttpHandler = new SocketsHttpHandler { UseProxy = false } }));
    }

    public WebApplication App { get; }

    public HealthClient Client => new(_channel.Value);

    public async ValueTask DisposeAsync()
    {
        if (_channel.IsValueCreated)
        {
            _channel.Value.Dispose();
        }

        await App.DisposeAsync();
    }
}
