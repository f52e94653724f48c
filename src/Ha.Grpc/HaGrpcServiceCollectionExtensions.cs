using Grpc.AspNetCore.Server;
using Ha;
using Ha.Grpc.Errors;
using Ha.Grpc.Health;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the plugin to an application with gRPC services.</summary>
public static class HaGrpcServiceCollectionExtensions
{
    /// <summary>
    /// Lets a <see cref="NotLeaderException"/> or <see cref="OutcomeUnknownException"/> out of any gRPC method reach its client as a
    /// status that says whether the call may be repeated, and adds what <c>MapHaGrpcHealth()</c> needs. Calls <c>AddHa()</c> and
    /// <c>AddGrpc()</c>. Idempotent.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Each call's delegate runs.</param>
    /// <returns><paramref name="services"/>.</returns>
    public static IServiceCollection AddHaGrpc(this IServiceCollection services, Action<HaGrpcOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddHa();
        services.AddGrpc();
        services.TryAddSingleton<RefusalInterceptor>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<GrpcServiceOptions>, InterceptorPlaces>());
        services.TryAddSingleton(static provider => new HealthFeed(
            provider.GetRequiredService<ILeaderProvider>(), provider.GetRequiredService<INodeReadiness>(), TimeProvider.System));
        services.TryAddSingleton<OpenWatches>();
        services.TryAddSingleton<OtherHealth>();
        services.TryAddSingleton<LeaderHealth>();
        return configure is null ? services : services.Configure(configure);
    }
}
