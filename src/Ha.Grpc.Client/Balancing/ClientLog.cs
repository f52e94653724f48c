using Microsoft.Extensions.Logging;

namespace Ha.Grpc.Client.Balancing;

/// <summary>In category <c>Ha.Grpc.Client</c>. Event ids are stable and stand in docs/grpc.md.</summary>
internal sealed partial class ClientLog(ILogger logger)
{
    private readonly ILogger _logger = logger;

    [LoggerMessage(1, LogLevel.Information, "Calls go to {NewLeader}, no longer to {OldLeader}.")]
    public partial void LeaderMoved(string? oldLeader, string? newLeader);

    [LoggerMessage(2, LogLevel.Debug, "The watch of {Node} ended: {Reason}")]
    public partial void WatchEnded(string node, string reason);
}
