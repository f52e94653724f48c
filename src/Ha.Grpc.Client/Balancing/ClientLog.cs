using Microsoft.Extensions.Logging;

namespace Ha.Grpc.Client.Balancing;

/// <summary>In category <c>Ha.Grpc.Client</c>. Event ids are stable and stand in docs/grpc.md.</summary>
internal sealed partial class ClientLog(ILogger logger)
{
    private readonly ILogger _logger = new NeverFailing(logger);

    [LoggerMessage(1, LogLevel.Information, "Calls go to {NewLeader}, no longer to {OldLeader}.")]
    public partial void LeaderMoved(string? oldLeader, string? newLeader);

    [LoggerMessage(2, LogLevel.Debug, "The watch of {Node} ended: {Reason}")]
    public partial void WatchEnded(string node, string reason);

    [LoggerMessage(3, LogLevel.Error, "{What} failed, and is tried again after a second.")]
    public partial void Failed(string what, Exception error);

    /// <summary>We log in callbacks of the channel's, which a log that fails must not end.</summary>
    private sealed class NeverFailing(ILogger inner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            try
            {
                inner.Log(logLevel, eventId, state, exception, formatter);
            }
            catch (Exception)
            {
                // There is nowhere left to say so.
            }
        }
    }
}
