using Ha.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Leadership;

/// <summary>What an application brings along may fail; the election goes on.</summary>
public class LuxLeaderFaultTests
{
    [Fact]
    public async Task A_handler_that_throws_what_no_network_does_is_called_again_at_the_next_interval()
    {
        var calls = 0;
        using var handler = new BrokenHandler(() => Interlocked.Increment(ref calls));
        var options = Options();
        options.Peers.Add("http://b");
        options.Peers.Add("http://c");

        await using var node = new LuxLeader(options, handler);
        node.SetReady();

        await Eventually.True(() => Volatile.Read(ref calls) >= 6);
    }

    [Fact]
    public async Task A_log_that_throws_neither_ends_the_process_nor_the_raising_of_the_fence()
    {
        var asked = 0;
        var options = Options();
        options.RaiseFence = (_, _) => ++asked < 3 ? throw new IOException("the database is down") : ValueTask.FromResult(1L);

        using var loggers = new BrokenLoggers(static () => throw new IOException("the disk is full"));
        await using var node = new LuxLeader(options, loggers: loggers);
        node.SetReady();

        await Eventually.True(() => node.Current.AdmitsWrites);
        Assert.Equal(3, asked);
    }

    [Fact]
    public async Task A_log_that_hangs_holds_nobody_up()
    {
        using var over = new ManualResetEventSlim();
        using var loggers = new BrokenLoggers(over.Wait);
        try
        {
            await using var node = new LuxLeader(Options(), loggers: loggers);
            await Task.Run(node.SetReady).WaitAsync(TimeSpan.FromSeconds(30));
            await Eventually.True(() => node.Current.AdmitsWrites);
        }
        finally
        {
            over.Set();
        }
    }

    [Fact]
    public async Task A_stored_epoch_that_no_member_would_take_admits_no_write_and_does_not_spread()
    {
        var asked = 0;
        var options = Options();
        options.RaiseFence = (_, _) => ValueTask.FromResult(++asked < 3 ? long.MaxValue : 1L);

        await using var node = new LuxLeader(options);
        node.SetReady();

        await Eventually.True(() => node.Current.AdmitsWrites);
        Assert.InRange(node.Current.Epoch, 2, Ha.Election.ElectionCore.MaxEpoch);
        Assert.Equal(3, asked);
    }

    private static HaOptions Options() => new()
    {
        NodeId = "a",
        LocalTarget = "http://a",
        Insecure = true,
        HeartbeatInterval = TimeSpan.FromMilliseconds(20),
        LeaseTimeout = TimeSpan.FromSeconds(1),
    };

    private sealed class BrokenHandler(Action called) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            called();
            throw new NotSupportedException("no network says this");
        }
    }

    private sealed class BrokenLoggers(Action log) : ILoggerFactory, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => log();

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
