using Microsoft.Extensions.Logging;

namespace Ha.Telemetry;

/// <summary>What reads with a position tell a log: once a minute per cause. Thread-safe.</summary>
internal sealed class ConsistencyReports(ILoggerFactory loggers, TimeProvider clock)
{
    /// <summary>Logger category.</summary>
    public const string Category = "Ha.Consistency";

    private readonly ILogger _log = loggers.CreateLogger(Category);
    private readonly LogLimiter _limiter = new(clock, ElectionTelemetry.ReportInterval);

    public void WrittenUnread(Exception failure) => Report("written", (log, leftOut) => log.WrittenUnread(failure, leftOut));

    public void ReachedUnread(Exception failure) => Report("reached", (log, leftOut) => log.ReachedUnread(failure, leftOut));

    /// <param name="why">One of a few fixed words.</param>
    public void Ignored(string why) => Report(why, (log, leftOut) => log.PositionIgnored(why, leftOut));

    public void WaitingFull() => Report("full", static (log, leftOut) => log.WaitingFull(leftOut));

    private void Report(string cause, Action<ILogger, string> write)
    {
        if (!_limiter.Passes(cause, out var count))
        {
            return;
        }

        try
        {
            write(_log, LogLimiter.LeftOut(count));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A log of the application may throw; the loop that all reads wait for must go on all the same.
        }
    }
}

/// <summary>Event ids 1230-1239, listed in docs/operations.md; a number is never used again.</summary>
internal static partial class ConsistencyLog
{
    [LoggerMessage(1230, LogLevel.Warning, "The position after a write could not be read, so answers carry none and reads elsewhere may miss the write.{LeftOut}")]
    public static partial void WrittenUnread(this ILogger logger, Exception exception, string leftOut);

    [LoggerMessage(1231, LogLevel.Warning, "The position of this node's replica could not be read, so reads that must see a write go to the leader.{LeftOut}")]
    public static partial void ReachedUnread(this ILogger logger, Exception exception, string leftOut);

    [LoggerMessage(1232, LogLevel.Warning, "A request's position was ignored, {Why}: it is of another cluster, made up, or signed with a key that this node does not know. BASE_CLUSTER_SECRET or BASE_PEER_KEYS must be the same on every node.{LeftOut}")]
    public static partial void PositionIgnored(this ILogger logger, string why, string leftOut);

    [LoggerMessage(1233, LogLevel.Warning, "As many reads wait for this node's replica as ReadConsistency.MaxWaiting allows; more went to the leader.{LeftOut}")]
    public static partial void WaitingFull(this ILogger logger, string leftOut);
}
