using Ha.Configuration;
using Ha.Consistency;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Hosting;

/// <summary>Makes this process a member, a reader of a fixed leader, or nothing at all.</summary>
internal static class HaNodeFactory
{
    /// <summary>Whoever leads where the application brought no provider of its own.</summary>
    /// <exception cref="OptionsValidationException">The settings are wrong.</exception>
    public static ILeaderProvider CreateProvider(IServiceProvider services)
    {
        var settings = services.GetRequiredService<HaSettings>();
        if (!settings.IsActive || settings is { StaticLeader: null, LocalTarget: null })
        {
            return new StaticLeader(settings.NodeId);
        }

        if (settings.StaticLeader is { } leader)
        {
            return new StaticLeader(settings.NodeId, leader, settings.LocalTarget);
        }

        var telemetry = services.GetRequiredService<ElectionTelemetry>();
        return settings.LeaseStore is { } createStore
            ? new LeaseLeader(settings, createStore(services), BootClock.Instance, telemetry)
            : new LuxLeader(
                settings, handler: null, BootClock.Instance, telemetry, services.GetRequiredService<NodeTls>(),
                addresses: services.GetRequiredService<MemberAddresses>());
    }

    /// <exception cref="OptionsValidationException">The settings are wrong.</exception>
    public static HaNode CreateNode(IServiceProvider services)
    {
        var settings = services.GetRequiredService<HaSettings>();
        var provider = services.GetRequiredService<ILeaderProvider>();
        if (settings.OwnProvider)
        {
            LeaderRegistration.RefuseIncomplete(provider);
        }

        if (settings.IsActive)
        {
            services.GetRequiredService<HaMetrics>().Attach(provider);
        }

        return new HaNode(
            settings, provider, provider is StaticLeader ? TimeProvider.System : BootClock.Instance, election: settings.OwnProvider ? null : provider as ElectedLeader);
    }

    /// <returns>Null where the application has not asked for them, or the plugin is off.</returns>
    public static ConsistentReads? CreateReads(IServiceProvider services)
    {
        var node = services.GetRequiredService<HaNode>();
        return node.Settings is { IsActive: true, Consistency: { } create } settings
            ? new ConsistentReads(
                create(services),
                settings,
                node.Provider,
                node.Clock,
                services.GetRequiredService<HaMetrics>(),
                new ConsistencyReports(services.GetRequiredService<ILoggerFactory>(), node.Clock),
                keyEvents: node.Provider is LuxLeader ? null : services.GetRequiredService<ElectionTelemetry>())
            : null;
    }

    public static NodeTls CreateTls(HaSettings settings, ElectionTelemetry telemetry) =>
        new(settings.Tls, TimeProvider.System, telemetry.TlsInUse, telemetry.TlsRefused);
}
