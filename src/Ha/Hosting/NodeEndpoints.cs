using Ha.Endpoints;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>What <c>/_ha/*</c> shows and calls on an active node.</summary>
internal static class NodeEndpoints
{
    private const string Category = "Ha.Endpoints";

    public static HaEndpoints Create(
        HaNode node, ElectionTelemetry telemetry, ShutdownSignal shutdown, OwnAddress ownAddress, ILoggerFactory loggers) =>
        new(new EndpointSources
        {
            Settings = node.Settings,
            Provider = node.Provider,
            View = node.Control is { } control ? control.View : () => LeaderView(node),
            Telemetry = telemetry,
            Clock = node.Clock,
            Heartbeat = node.Provider is StaticLeader ? FixedLeader(node, telemetry).HandleAsync : node.Control?.Heartbeat,
            StepDown = node.Control is null ? null : node.Control.StepDown,
            Pause = node.Control is null ? null : node.Control.Pause,
            Resume = node.Control is null ? null : node.Control.Resume,
            OwnAddress = ownAddress,
            Stopping = shutdown.Token,
            Log = loggers.CreateLogger(Category),
        });

    private static FixedLeaderEndpoint FixedLeader(HaNode node, ElectionTelemetry telemetry) =>
        new(node.Settings.ClusterId, node.Settings.Keys.AtStart, node.Clock, telemetry.HeartbeatMetFixedLeader);

    private static ClusterView LeaderView(HaNode node)
    {
        var local = node.Settings.LocalTarget ?? "";
        var (shown, leader, now) = (node.Settings.PublicTarget ?? local, node.Provider.Current, node.Clock.GetUtcNow());
        return node.Provider is StaticLeader
            ? ClusterViews.OfFixedLeader(local, shown, leader, now)
            : ClusterViews.OfProvider(local, shown, leader, node.Provider.GetType().Name, now);
    }
}
