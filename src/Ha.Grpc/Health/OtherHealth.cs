using System.Diagnostics.CodeAnalysis;
using Grpc.AspNetCore.Server;
using Grpc.HealthCheck;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using HealthBase = Grpc.Health.V1.Health.HealthBase;

namespace Ha.Grpc.Health;

/// <summary>
/// The application's own health service: the one that it has mapped, or else the <see cref="HealthServiceImpl"/> among its services, where
/// <c>AddGrpcHealthChecks()</c> puts one. Thread-safe.
/// </summary>
internal sealed class OtherHealth(IServiceProvider root)
{
    private readonly Lazy<Type?> _mapped = new(() => FindMapped(root.GetService<EndpointDataSource>()));
    private bool _isMapped;

    /// <exception cref="InvalidOperationException">It was called before: of two routes as good as each other none gets a call.</exception>
    public void OursIsMapped()
    {
        if (_isMapped)
        {
            throw new InvalidOperationException("MapHaGrpcHealth() was called twice; call it once.");
        }

        _isMapped = true;
    }

    /// <summary>For one call; null: there is none.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2072", Justification = "MapGrpcService keeps the constructors of what it maps.")]
    public HealthBase? Find(HttpContext context)
    {
        var services = context.RequestServices;
        return _mapped.Value is { } type
            ? (HealthBase)ActivatorUtilities.GetServiceOrCreateInstance(services, type)
            : services.GetService<HealthServiceImpl>();
    }

    private static Type? FindMapped(EndpointDataSource? source) =>
        (source?.Endpoints ?? [])
            .Select(static endpoint => endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()?.ServiceType)
            .FirstOrDefault(static type =>
                type is not null && type != typeof(LeaderHealth) && typeof(HealthBase).IsAssignableFrom(type));
}
