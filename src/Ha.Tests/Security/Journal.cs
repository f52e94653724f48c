using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Security;

/// <summary>Everything that a node logs, with who says it. Thread-safe.</summary>
internal sealed class Journal : ILoggerProvider
{
    private readonly ConcurrentQueue<JournalEntry> _entries = new();

    public IReadOnlyList<JournalEntry> Entries => [.. _entries];

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _entries);

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<JournalEntry> entries) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            entries.Enqueue(new JournalEntry(category, logLevel, eventId.Id, $"{formatter(state, exception)} {exception}"));
    }
}

internal sealed record JournalEntry(string Category, LogLevel Level, int Id, string Text);
