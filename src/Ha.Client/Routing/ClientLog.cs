using Microsoft.Extensions.Logging;

namespace Ha.Client.Routing;

/// <summary>Every decision, in category <c>Ha.Client</c>. Event ids are stable and stand in docs/client.md.</summary>
internal sealed partial class ClientLog(ILogger logger)
{
    private readonly ILogger _logger = logger;

    [LoggerMessage(1, LogLevel.Information, "Leader {Leader} in epoch {Epoch} became known through {Node}.")]
    public partial void LeaderLearned(string leader, long epoch, string node);

    [LoggerMessage(2, LogLevel.Information, "Leader {Leader} was given up: it failed or refused a write.")]
    public partial void LeaderForgotten(string leader);

    [LoggerMessage(3, LogLevel.Warning, "Leader {Leader}, named by {Node}, is not one of Nodes: it gets no credentials and is not remembered. Add it to Nodes, or set TrustReportedLeaders.")]
    public partial void LeaderNotTrusted(string leader, string node);

    [LoggerMessage(4, LogLevel.Warning, "Node {Node} is avoided for {Delay} after {Failures} failures: {Reason}")]
    public partial void NodeAvoided(string node, TimeSpan delay, int failures, string reason);

    [LoggerMessage(5, LogLevel.Information, "Node {Node} answered again.")]
    public partial void NodeIsBack(string node);

    [LoggerMessage(6, LogLevel.Debug, "{Request} went to {Node}: {Answer}")]
    public partial void Attempted(string request, string node, string answer);

    [LoggerMessage(7, LogLevel.Debug, "{Request} waited for {Delay}: {Reason}")]
    public partial void Paused(string request, TimeSpan delay, string reason);

    [LoggerMessage(8, LogLevel.Information, "{Request} was sent again under its Idempotency-Key, since its outcome is unknown: {Reason}")]
    public partial void RepeatedWithKey(string request, string reason);

    [LoggerMessage(9, LogLevel.Warning, "{Request} went to {Node} without its credentials: the node is not one of Nodes.")]
    public partial void CredentialsDropped(string request, string node);

    [LoggerMessage(10, LogLevel.Warning, "{Report}")]
    public partial void CallFailed(string report);

    [LoggerMessage(11, LogLevel.Debug, "{Node} was asked who leads: {Answer}")]
    public partial void Asked(string node, string answer);

    [LoggerMessage(12, LogLevel.Warning, "Nodes were not looked up, and those known before are used, if any: {Failure}")]
    public partial void NamesNotResolved(string failure);
}
