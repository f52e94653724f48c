using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>Event ids 1400-1499, listed in docs/operations.md; a number is never used again.</summary>
internal static partial class HostingLog
{
    [LoggerMessage(1400, LogLevel.Debug, "Ha is off: none of BASE_STATIC_LEADER, BASE_LOCAL_TARGET, BASE_PEERS and BASE_LEASE_STORE is set.")]
    public static partial void Inactive(this ILogger logger);

    [LoggerMessage(1401, LogLevel.Information, "Node {NodeId} takes part in the election of cluster {ClusterId}: {Members} members, quorum {Quorum}, lease {Lease}.")]
    public static partial void ElectionJoined(this ILogger logger, string nodeId, string clusterId, int members, string quorum, string lease);

    [LoggerMessage(1402, LogLevel.Information, "Node {NodeId} has the fixed leader {Leader}.")]
    public static partial void LeaderFixed(this ILogger logger, string nodeId, string leader);

    [LoggerMessage(1403, LogLevel.Warning, "Two members cannot outvote each other: when the network between them breaks, both lead and both take writes. Add a third member; it may be a witness that only votes (BASE_WITNESS=true).")]
    public static partial void TwoMembers(this ILogger logger);

    [LoggerMessage(1404, LogLevel.Warning, "BASE_QUORUM is off with {Members} members: when the network between them breaks, several lead and take writes. Leave it unset to elect by majority.")]
    public static partial void QuorumOff(this ILogger logger, int members);

    [LoggerMessage(1405, LogLevel.Warning, "BASE_INSECURE lets unsigned heartbeats in: whoever reaches this node can become its leader. Set BASE_CLUSTER_SECRET on every node, then remove it.")]
    public static partial void Insecure(this ILogger logger);

    [LoggerMessage(1406, LogLevel.Warning, "The handoff at shutdown was cut short, the others wait for the lease to run out.")]
    public static partial void HandoffCutShort(this ILogger logger, Exception? error);

    [LoggerMessage(1407, LogLevel.Information, "{Job} started on the leader in epoch {Epoch}.")]
    public static partial void JobStarted(this ILogger logger, string job, long epoch);

    [LoggerMessage(1408, LogLevel.Information, "{Job} ended in epoch {Epoch}.")]
    public static partial void JobEnded(this ILogger logger, string job, long epoch);

    [LoggerMessage(1409, LogLevel.Error, "{Job} failed in epoch {Epoch}; if this node still leads it starts again in {Delay}.")]
    public static partial void JobFailed(this ILogger logger, Exception error, string job, long epoch, TimeSpan delay);

    [LoggerMessage(1410, LogLevel.Information, "Node {NodeId} of cluster {ClusterId} elects through {Store}, lease {Lease}.")]
    public static partial void StoreJoined(this ILogger logger, string nodeId, string clusterId, string store, string lease);

    [LoggerMessage(1411, LogLevel.Information, "Node {NodeId} asks {Provider} who leads.")]
    public static partial void ProviderJoined(this ILogger logger, string nodeId, string provider);

    [LoggerMessage(1412, LogLevel.Warning, "StandsWhile({Tag}) has no effect: this node's leader is fixed, or its provider does not ask for the application's health.")]
    public static partial void HealthWithoutEffect(this ILogger logger, string tag);

    [LoggerMessage(1413, LogLevel.Warning, "WarmUp failed, so this node may be slow to take its first writes as the leader; it stands all the same.")]
    public static partial void WarmUpFailed(this ILogger logger, Exception error);

    [LoggerMessage(1414, LogLevel.Warning, "WarmUp did not end in {Patience}, so this node may be slow to take its first writes as the leader; it stands all the same.")]
    public static partial void WarmUpLate(this ILogger logger, string patience);

    [LoggerMessage(1415, LogLevel.Information, "WarmUp took {Elapsed}.")]
    public static partial void WarmedUp(this ILogger logger, TimeSpan elapsed);

    [LoggerMessage(1416, LogLevel.Error, "What StandsWhile({Tag}) found could not be passed on to the provider, which is told again with the next result.")]
    public static partial void HealthNotPassedOn(this ILogger logger, Exception error, string tag);

    [LoggerMessage(1430, LogLevel.Warning, "Hub {Hub} says neither RequireLeader() nor AllowOnAnyNode(), so its clients cannot connect through a follower. Say one of them where it is mapped (app.MapHub<T>(...).RequireLeader(), for Blazor app.MapRazorComponents<App>().AddInteractiveServerRenderMode().RequireLeader()), and call app.UseHa().")]
    public static partial void HubUndecided(this ILogger logger, string hub);
}
