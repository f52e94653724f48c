using System.Diagnostics.Metrics;
using Ha;
using Ha.Configuration;
using Ha.Endpoints;
using Ha.Forwarding;
using Ha.Forwarding.Local;
using Ha.Hosting;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the plugin to an application.</summary>
public static class HaServiceCollectionExtensions
{
    /// <summary>
    /// Makes this process a member of the cluster that the <c>BASE_*</c> configuration keys describe. This line alone
    /// is enough. With none of <c>BASE_STATIC_LEADER</c>, <c>BASE_LOCAL_TARGET</c>, <c>BASE_PEERS</c> and <c>BASE_LEASE_STORE</c>
    /// set it changes nothing, and <see cref="ILeaderProvider"/> says that this node leads. An <see cref="ILeaderProvider"/> that
    /// the application registers, before or after, takes the place of the plugin's own.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Runs after the keys were read. Each call's delegate runs, the rest is added once.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <remarks>
    /// Wrong settings stop the start with an <see cref="OptionsValidationException"/> that names all of them.
    /// </remarks>
    public static IServiceCollection AddHa(this IServiceCollection services, Action<HaOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (!services.Any(service => service.ServiceType == typeof(HaNode)))
        {
            AddOnce(services);
        }

        return configure is null ? services : services.Configure(configure);
    }

    private static void AddOnce(IServiceCollection services)
    {
        services.AddOptions();
        services.AddLogging();
        services.AddMetrics();
        services.AddSingleton<IConfigureOptions<HaOptions>, ConfigureHaOptions>();

        services.AddSingleton(provider => HaSettings.Parse(
            provider.GetRequiredService<IOptions<HaOptions>>().Value,
            provider.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout,
            ownProvider: LeaderRegistration.IsApplications(services),
            services: provider));
        services.AddSingleton(provider => new HaMetrics(provider.GetService<IMeterFactory>()));
        services.AddSingleton(provider => new ElectionTelemetry(
            provider.GetRequiredService<ILoggerFactory>(), provider.GetRequiredService<HaMetrics>(), BootClock.Instance));
        services.AddSingleton(provider => HaNodeFactory.CreateTls(
            provider.GetRequiredService<HaSettings>(), provider.GetRequiredService<ElectionTelemetry>()));
        services.AddSingleton(static _ => new MemberAddresses());
        ExceptionCatchers.Add(services);
        services.AddSingleton<HaPipeline>();
        services.AddSingleton<MatcherPolicy, UnseenEndpointPolicy>();
        services.AddSingleton(provider => new ForwardingServices(
            provider.GetRequiredService<HaNode>(),
            provider.GetRequiredService<HaMetrics>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetRequiredService<NodeTls>(),
            provider.GetRequiredService<IOptions<KestrelServerOptions>>(),
            provider.GetRequiredService<MemberAddresses>(),
            HaNodeFactory.CreateReads(provider)));
        services.AddSingleton<ShutdownSignal>();
        services.AddSingleton<OwnAddress>();
        services.AddSingleton<INodeReadiness, NodeReadiness>();
        services.AddSingleton(HaNodeFactory.CreateNode);
        LeaderRegistration.Add(services);

        // First of its kind: a service that waits for a leader once all have started must not keep this node from leading.
        // And the check before it, so that nothing of the election has begun when the start is refused.
        services.Insert(0, ServiceDescriptor.Singleton<IHostedService, HaLifecycleService>());
        services.Insert(0, ServiceDescriptor.Singleton<IHostedService, SetupCheck>());

        // Before the host filter and everything else that was registered: members call each other by names of their own.
        services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter, HaStartupFilter>());
    }
}
