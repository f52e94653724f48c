using Ha.Leadership;
using Ha.Telemetry;
using Ha.Security;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Hosting;

/// <summary>Makes this process a member, a reader of a fixed leader, or nothing at all.</summary>
internal static class HaNodeFactory
{
    /// <exception cref="OptionsValidationException">The settings are wrong.</exception>
    public static HaNode Create(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<HaOptions>>().Value;
        if (!options.IsActive)
        {
            return new HaNode(options, new StaticLeader(options.NodeId), election: null, TimeProvider.System);
        }

        var telemetry = services.GetRequiredService<ElectionTelemetry>();
        var node = options.StaticLeader is { } leader
            ? new HaNode(options, new StaticLeader(options.NodeId, leader, options.LocalTarget), election: null, TimeProvider.System)
            : Elect(options, telemetry, services.GetRequiredService<NodeTls>());
        telemetry.Metrics.Attach(node.Provider);
        return node;
    }

    private static HaNode Elect(HaOptions options, ElectionTelemetry telemetry, NodeTls tls)
    {
        var lux = new LuxLeader(options, handler: null, BootClock.Instance, telemetry, tls);
        return new HaNode(options, lux, lux.Election, BootClock.Instance);
    }
}
