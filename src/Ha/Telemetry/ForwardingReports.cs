using Microsoft.Extensions.Logging;

namespace Ha.Telemetry;

/// <summary>
/// What the write path tells a log: once a minute per cause, because a failover makes every request report the same.
/// Thread-safe.
/// </summary>
internal sealed class ForwardingReports(ILoggerFactory loggers, TimeProvider clock)
{
    /// <summary>Logger category.</summary>
    public const string Category = "Ha.Forwarding";

    private readonly ILogger _log = loggers.CreateLogger(Category);
    private readonly LogLimiter _limiter = new(clock, ElectionTelemetry.ReportInterval);

    public void Broken(string leader, Exception failure) =>
        Report("broken " + leader, (log, leftOut) => log.LeaderBroken(leader, failure.GetBaseException().Message, leftOut));

    public void Unreachable(string leader, string why) =>
        Report("unreachable " + leader, (log, leftOut) => log.LeaderUnreachable(leader, why, leftOut));

    public void NoHttp2(string leader) => Report("http2 " + leader, (log, leftOut) => log.NoHttp2(leader, leftOut));

    public void BodyReadBefore(string path) => Report("body", (log, leftOut) => log.BodyReadBefore(path, leftOut));

    public void Unseen(string method, string path, int status) =>
        Report("unseen", (log, leftOut) => log.Unseen(method, path, status, leftOut));

    public void HeaderDropped(string name) => Report("header", (log, leftOut) => log.HeaderDropped(name, leftOut));

    public void HttpsLoop(string leader) => Report("https", (log, leftOut) => log.HttpsLoop(leader, leftOut));

    public void HoldFull() => Report("full", static (log, leftOut) => log.HoldFull(leftOut));

    public void Loop() => Report("loop", static (log, leftOut) => log.Loop(leftOut));

    public void Withheld() => Report("withheld", static (log, leftOut) => log.Withheld(leftOut));

    public void OutcomeUnknown(Exception failure) => Report("unknown", (log, leftOut) => log.OutcomeUnknown(failure, leftOut));

    public void TriedAgain() => Report("again", static (log, leftOut) => log.TriedAgain(leftOut));

    private void Report(string cause, Action<ILogger, string> write)
    {
        if (_limiter.Passes(cause, out var count))
        {
            write(_log, LogLimiter.LeftOut(count));
        }
    }
}

/// <summary>Event ids 1200-1299, listed in docs/operations.md; a number is never used again.</summary>
internal static partial class ForwardingLog
{
    [LoggerMessage(1200, LogLevel.Warning, "A write's outcome is unknown, the connection to the leader at {Leader} broke: {Why}{LeftOut}")]
    public static partial void LeaderBroken(this ILogger logger, string leader, string why, string leftOut);

    [LoggerMessage(1201, LogLevel.Warning, "The leader at {Leader} cannot be connected to, writes wait for it or the next one: {Why}{LeftOut}")]
    public static partial void LeaderUnreachable(this ILogger logger, string leader, string why, string leftOut);

    [LoggerMessage(1202, LogLevel.Warning, "As many writes wait for a leader as BASE_WRITE_HOLD_MAX allows; more were refused.{LeftOut}")]
    public static partial void HoldFull(this ILogger logger, string leftOut);

    [LoggerMessage(1203, LogLevel.Error, "A forwarded request came back to this node: the leader's URL leads here, or a client made up the mark.{LeftOut}")]
    public static partial void Loop(this ILogger logger, string leftOut);

    [LoggerMessage(1204, LogLevel.Warning, "The lease was lost while a write ran, so its success was not confirmed.{LeftOut}")]
    public static partial void Withheld(this ILogger logger, string leftOut);

    [LoggerMessage(1205, LogLevel.Warning, "A handler could not tell whether its write was committed.{LeftOut}")]
    public static partial void OutcomeUnknown(this ILogger logger, Exception exception, string leftOut);

    [LoggerMessage(1206, LogLevel.Error, "gRPC calls cannot be forwarded: the leader's listener at {Leader} does not take HTTP/2. Use TLS between the nodes.{LeftOut}")]
    public static partial void NoHttp2(this ILogger logger, string leader, string leftOut);

    [LoggerMessage(1207, LogLevel.Error, "A write to {Path} was refused: a middleware before UseHa() has read its body (UseAntiforgery does). Call UseHa() before it.{LeftOut}")]
    public static partial void BodyReadBefore(this ILogger logger, string path, string leftOut);

    [LoggerMessage(1208, LogLevel.Warning, "The leader's answer lost its header {Name}, which this node's server cannot send: see KestrelServerOptions.ResponseHeaderEncodingSelector.{LeftOut}")]
    public static partial void HeaderDropped(this ILogger logger, string name, string leftOut);

    [LoggerMessage(1209, LogLevel.Warning, "A write's outcome is unknown: a middleware ran it a second time, and this node no longer led.{LeftOut}")]
    public static partial void TriedAgain(this ILogger logger, string leftOut);

    [LoggerMessage(1210, LogLevel.Warning, "The leader at {Leader} redirects writes to the https URL that they came to: its UseHttpsRedirection sees the http between the nodes. Call UseForwardedHeaders, with the members as KnownProxies, before it, or use https between the nodes.{LeftOut}")]
    public static partial void HttpsLoop(this ILogger logger, string leader, string leftOut);

    [LoggerMessage(1220, LogLevel.Error, "A write, {Method} {Path}, was answered {Status} without coming to UseHa(), so it ran on the node that was asked, whoever leads. Call UseHa() before the branch or middleware that answers it, or, for an endpoint, in its branch of the pipeline.{LeftOut}")]
    public static partial void Unseen(this ILogger logger, string method, string path, int status, string leftOut);
}
