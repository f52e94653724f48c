using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.GrpcClient;

/// <summary>Keeps what is logged in category <c>Ha.Grpc.Client</c> from Information on.</summary>
internal sealed class CollectedLog : ILoggerFactory
{
    private readonly ConcurrentQueue<string> _lines = [];

    public IEnumerable<string> Lines => _lines;

    /// <summary>Each line ends in an exception, as on a disk that is full.</summary>
    public bool Fails { get; init; }

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName == "Ha.Grpc.Client");

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }

    private sealed class Logger(CollectedLog log, bool isOurs) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => isOurs && logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            log._lines.Enqueue(formatter(state, exception));
            if (log.Fails)
            {
                throw new IOException("disk full");
            }
        }
    }
}
