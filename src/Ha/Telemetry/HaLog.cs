using System.Net;
using Microsoft.Extensions.Logging;

namespace Ha.Telemetry;

/// <summary>
/// What the election tells a log. Event ids are stable and listed in docs/operations.md: 1000-1099 election,
/// 1100-1199 heartbeats, 1200-1299 writes, 1300-1399 endpoints, 1400-1499 hosting. A number is never used again.
/// </summary>
internal static partial class HaLog
{
    [LoggerMessage(1000, LogLevel.Information, "Start-up quarantine ended: {Why}.")]
    public static partial void QuarantineEnded(this ILogger logger, string why);

    [LoggerMessage(1001, LogLevel.Warning, "Start-up quarantine was extended: {Why}.")]
    public static partial void QuarantineExtended(this ILogger logger, string why);

    [LoggerMessage(1002, LogLevel.Debug, "Campaign for epoch {Epoch} started: {Why}.")]
    public static partial void CampaignStarted(this ILogger logger, long epoch, string why);

    [LoggerMessage(1003, LogLevel.Debug, "Campaign for epoch {Epoch} was cancelled: {Why}.")]
    public static partial void CampaignCancelled(this ILogger logger, long epoch, string why);

    [LoggerMessage(1004, LogLevel.Error, "No campaign was started, the network is too slow for the heartbeat interval: {Why}.{LeftOut}")]
    public static partial void CampaignRefusedSlowNetwork(this ILogger logger, string why, string leftOut);

    [LoggerMessage(1005, LogLevel.Information, "Leadership moved from {OldLeader} to this node in epoch {Epoch}: {Why}.")]
    public static partial void LeadershipWon(this ILogger logger, string oldLeader, long epoch, string why);

    [LoggerMessage(1006, LogLevel.Information, "Epoch was raised to {Epoch}, the leader stays: {Why}.")]
    public static partial void EpochBumped(this ILogger logger, long epoch, string why);

    [LoggerMessage(1007, LogLevel.Warning, "Leadership of this node in epoch {Epoch} lapsed: {Why}.")]
    public static partial void LeadershipLapsed(this ILogger logger, long epoch, string why);

    [LoggerMessage(1008, LogLevel.Information, "Leadership of this node in epoch {Epoch} was released: {Why}.")]
    public static partial void LeadershipReleased(this ILogger logger, long epoch, string why);

    [LoggerMessage(1009, LogLevel.Information, "Leadership moved from {OldLeader} to {NewLeader} in epoch {Epoch}.")]
    public static partial void LeaderSeen(this ILogger logger, string oldLeader, string newLeader, long epoch);

    [LoggerMessage(1010, LogLevel.Information, "Leader {OldLeader} of epoch {Epoch} is gone: {Why}.")]
    public static partial void LeaderLost(this ILogger logger, string oldLeader, long epoch, string why);

    [LoggerMessage(1011, LogLevel.Information, "Handoff to {Successor} started in epoch {Epoch}: {Why}.")]
    public static partial void HandoffStarted(this ILogger logger, string successor, long epoch, string why);

    [LoggerMessage(1012, LogLevel.Warning, "Handoff to {Successor} was aborted in epoch {Epoch}: {Why}.")]
    public static partial void HandoffAborted(this ILogger logger, string successor, long epoch, string why);

    [LoggerMessage(1013, LogLevel.Warning, "Running writes did not finish in time, so the lease of epoch {Epoch} lapses instead of being released: {Why}.")]
    public static partial void DrainTimedOut(this ILogger logger, long epoch, string why);

    [LoggerMessage(1014, LogLevel.Information, "Node {Node} is ready to take leadership back: {Why}.{LeftOut}")]
    public static partial void PreemptionPending(this ILogger logger, string node, string why, string leftOut);

    [LoggerMessage(1015, LogLevel.Error, "Two leaders met, this node and {Node}, around epoch {Epoch}: {Why}.{LeftOut}")]
    public static partial void ConflictSeen(this ILogger logger, string node, long epoch, string why, string leftOut);

    [LoggerMessage(1016, LogLevel.Warning, "Wall clock and lease clock drifted apart: {Why}.{LeftOut}")]
    public static partial void ClockJumped(this ILogger logger, string why, string leftOut);

    [LoggerMessage(1017, LogLevel.Error, "NodeID {Node} is used more than once, so nobody gets a vote: {Why}. Give each node its own BASE_NODE_ID, and name each once in BASE_PEERS, by its BASE_LOCAL_TARGET.{LeftOut}")]
    public static partial void DuplicateId(this ILogger logger, string node, string why, string leftOut);

    [LoggerMessage(1018, LogLevel.Error, "Settings of {Node} differ from this node's, so it gets no vote: {Why}. BASE_PEERS, with each member's BASE_LOCAL_TARGET, cluster id, quorum and timing must be the same on every node.{LeftOut}")]
    public static partial void ConfigMismatch(this ILogger logger, string node, string why, string leftOut);

    [LoggerMessage(1019, LogLevel.Information, "Peer {Node} is up: {Why}.")]
    public static partial void PeerUp(this ILogger logger, string node, string why);

    [LoggerMessage(1020, LogLevel.Warning, "Peer {Node} is down: {Why}.")]
    public static partial void PeerDown(this ILogger logger, string node, string why);

    [LoggerMessage(1021, LogLevel.Error, "The application's fence could not be raised; this leader admits no write before it is.{LeftOut}")]
    public static partial void FenceFailed(this ILogger logger, Exception exception, string leftOut);

    [LoggerMessage(1022, LogLevel.Information, "Leadership stays with {Leader}, in epoch {Epoch}: {Why}.")]
    public static partial void LeaderStays(this ILogger logger, string leader, long epoch, string why);

    [LoggerMessage(1023, LogLevel.Warning, "Something waits for a leader, and this node's server does not listen yet, or WarmUp has not ended, so it cannot lead. Where the start waits for that, no node ever does: wait in BackgroundService.ExecuteAsync, in IHostedLifecycleService.StartedAsync or after StartAsync(), not in StartAsync of a service or before Run().")]
    public static partial void AwaitedBeforeReady(this ILogger logger);

    [LoggerMessage(1040, LogLevel.Warning, "Nobody leads: {Why}.")]
    public static partial void NobodyLeads(this ILogger logger, string why);

    [LoggerMessage(1041, LogLevel.Error, "Two processes run as node {Node}, stop one of them: {Why}.{LeftOut}")]
    public static partial void TwinSeen(this ILogger logger, string node, string why, string leftOut);

    [LoggerMessage(1042, LogLevel.Warning, "The lease store does not answer: {Why}.")]
    public static partial void StoreAway(this ILogger logger, string why);

    [LoggerMessage(1043, LogLevel.Information, "The lease store is back: {Why}.")]
    public static partial void StoreBack(this ILogger logger, string why);

    [LoggerMessage(1044, LogLevel.Error, "A record in the lease store was refused: {Why}.{LeftOut}")]
    public static partial void RecordRefused(this ILogger logger, string why, string leftOut);

    [LoggerMessage(1045, LogLevel.Warning, "A call of the lease store failed or was not answered in time.{LeftOut}")]
    public static partial void StoreCallFailed(this ILogger logger, Exception? exception, string leftOut);

    [LoggerMessage(1046, LogLevel.Information, "This node was paused: it does not lead until it is resumed or restarted.")]
    public static partial void Paused(this ILogger logger);

    [LoggerMessage(1047, LogLevel.Information, "This node was resumed and may lead again.")]
    public static partial void Resumed(this ILogger logger);

    [LoggerMessage(1048, LogLevel.Warning, "The application's health keeps this node from leading: {Why}.")]
    public static partial void Unhealthy(this ILogger logger, string why);

    [LoggerMessage(1049, LogLevel.Information, "The application is healthy again, this node may lead.")]
    public static partial void Recovered(this ILogger logger);

    [LoggerMessage(1100, LogLevel.Warning, "A heartbeat was rejected: {Reason}.{LeftOut}")]
    public static partial void HeartbeatRejected(this ILogger logger, string reason, string leftOut);

    [LoggerMessage(1101, LogLevel.Warning, "A heartbeat to {Peer} failed: {Reason}, {Detail}.{LeftOut}")]
    public static partial void HeartbeatFailed(this ILogger logger, string peer, string reason, string detail, string leftOut);

    [LoggerMessage(1102, LogLevel.Information, "Changed keys were taken from their files: this node signs with {Key} and accepts {Accepted} keys.")]
    public static partial void KeysReplaced(this ILogger logger, string? key, int accepted);

    [LoggerMessage(1103, LogLevel.Warning, "Changed keys were not taken, the ones in use stay. {Problems}")]
    public static partial void KeysRefused(this ILogger logger, string problems);

    [LoggerMessage(1104, LogLevel.Information, "A heartbeat from {Peer} was not taken for fresh and not used: one of the two has started, or somebody repeats what was sent before.{LeftOut}")]
    public static partial void HeartbeatNotFresh(this ILogger logger, string peer, string leftOut);

    [LoggerMessage(1301, LogLevel.Information, "A changed admin token was taken from its file.")]
    public static partial void AdminTokenReplaced(this ILogger logger);

    [LoggerMessage(1302, LogLevel.Warning, "A changed admin token was not taken, the one in use stays. {Problems}")]
    public static partial void AdminTokenRefused(this ILogger logger, string problems);

    [LoggerMessage(1110, LogLevel.Information, "Changed certificates were taken from their files, new connections to members use them.")]
    public static partial void TlsRenewed(this ILogger logger);

    [LoggerMessage(1111, LogLevel.Warning, "Changed certificates were not taken, the ones in use stay. {Problems}")]
    public static partial void TlsRefused(this ILogger logger, string problems);

    [LoggerMessage(1112, LogLevel.Warning, "This node's certificate in BASE_CLIENT_CERT_FILE ended at {ExpiredAt}; members that ask for one refuse it.")]
    public static partial void TlsExpired(this ILogger logger, DateTimeOffset expiredAt);

    [LoggerMessage(1303, LogLevel.Information, "A pause of this node was requested by {Remote}: {Outcome}.")]
    public static partial void PauseRequested(this ILogger logger, IPAddress? remote, string outcome);

    [LoggerMessage(1304, LogLevel.Information, "The end of this node's pause was requested by {Remote}: {Outcome}.")]
    public static partial void ResumeRequested(this ILogger logger, IPAddress? remote, string outcome);

    [LoggerMessage(1300, LogLevel.Information, "Step-down towards {Successor} was requested by {Remote}: {Outcome}.")]
    public static partial void StepDownRequested(this ILogger logger, string successor, IPAddress? remote, string outcome);
}
