using Ha.Endpoints;
using Ha.Endpoints.GrpcHealth;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.Extensions.DependencyInjection;
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
            View = node.Lux is { } lux ? lux.View : () => StaticView(node),
            Telemetry = telemetry,
            Clock = node.Clock,
            Heartbeat = node.Lux is { } elects ? elects.HandleHeartbeatAsync : FixedLeader(node, telemetry).HandleAsync,
            StepDown = node.Lux is null ? null : node.Lux.StepDown,
            OwnAddress = ownAddress,
            Stopping = shutdown.Token,
            Log = loggers.CreateLogger(Category),
        });

    private static FixedLeaderEndpoint FixedLeader(HaNode node, ElectionTelemetry telemetry) =>
        new(node.Settings.ClusterId, node.Settings.Keys.AtStart, node.Clock, telemetry.HeartbeatMetFixedLeader);

    /// <summary>Needed where <see cref="HaOptions.GrpcHealth"/> is on.</summary>
    public static HealthFeed CreateHealthFeed(IServiceProvider services)
    {
        var node = services.GetRequiredService<HaNode>();
        return new HealthFeed(node.Provider, node.Clock, services.GetRequiredService<ShutdownSignal>().Token);
    }

    /// <summary>Self, and the fixed leader where that is another node. Nothing is known of that one but its URL.</summary>
    private static ClusterView StaticView(HaNode node)
    {
        var settings = node.Settings;
        var leader = node.Provider.Current;
        var self = new MemberView(
            settings.NodeId,
            settings.LocalTarget ?? "",
            settings.PublicTarget ?? "",
            Up: true,
            Ordinal: leader.LeadsSelf ? 0 : 1,
            node.Clock.GetUtcNow(),
            leader.LeadsSelf,
            IsSelf: true,
            leader.LeadsSelf ? "leader" : "follower",
            ConfigMismatch: null,
            RoundTrip: null);
        if (leader.LeadsSelf)
        {
            return new ClusterView([self], "static", leader);
        }

        var other = self with
        {
            NodeId = "",
            Target = leader.LeaderTarget ?? "",
            PublicTarget = leader.LeaderUrl ?? "",
            Up = false,
            Ordinal = 0,
            LastSeen = null,
            IsLeader = true,
            IsSelf = false,
            Role = "leader",
        };
        return new ClusterView([other, self], "static", leader);
    }
}
