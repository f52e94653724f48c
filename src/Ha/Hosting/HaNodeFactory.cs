using Ha.Configuration;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Hosting;

/// <summary>Makes this process a member, a reader of a fixed leader, or nothing at all.</summary>
internal static class HaNodeFactory
{
    /// <exception cref="OptionsValidationException">The settings are wrong.</exception>
    public static HaNode Create(IServiceProvider services)
    {
        var settings = services.GetRequiredService<HaSettings>();
        if (!settings.IsActive)
        {
            return new HaNode(settings, new StaticLeader(settings.NodeId), election: null, TimeProvider.System);
        }

        var telemetry = services.GetRequiredService<ElectionTelemetry>();
        var node = settings.StaticLeader is { } leader
            ? new HaNode(settings, new StaticLeader(settings.NodeId, leader, settings.LocalTarget), election: null, TimeProvider.System)
            : Elect(settings, telemetry, services.GetRequiredService<NodeTls>());
        telemetry.Metrics.Attach(node.Provider);
        return node;
    }

    public static NodeTls CreateTls(HaSettings settings, ElectionTelemetry telemetry) =>
        new(settings.Tls, TimeProvider.System, telemetry.TlsInUse, telemetry.TlsRefused);

    private static HaNode Elect(HaSettings settings, ElectionTelemetry telemetry, NodeTls tls)
    {
        var lux = new LuxLeader(settings, handler: null, BootClock.Instance, telemetry, tls);
        return new HaNode(settings, lux, lux.Election, BootClock.Instance);
    }
}
