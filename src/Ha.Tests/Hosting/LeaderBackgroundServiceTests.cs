using System.Threading.Channels;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Moq;

namespace Ha.Tests.Hosting;

public sealed class LeaderBackgroundServiceTests : IDisposable
{
    private readonly TestLeader _leader = new();
    private readonly InstantClock _clock = new();
    private readonly Job _job;

    public LeaderBackgroundServiceTests() => _job = new Job(_leader, NullLogger.Instance, _clock);

    public void Dispose()
    {
        _job.Dispose();
        _leader.Dispose();
    }

    [Fact]
    public async Task A_follower_does_not_run_the_job()
    {
        await _job.StartAsync(default);
        await _job.StopAsync(default);
        Assert.False(_job.Runs.TryRead(out _));
        Assert.True(_job.ExecuteTask!.IsCompleted);
    }

    [Fact]
    public async Task The_leader_runs_the_job_and_tells_it_its_epoch()
    {
        await _job.StartAsync(default);
        _leader.Lead(7);
        var run = await _job.NextRunAsync();
        Assert.Equal(7, run.Leadership.Epoch);
        Assert.True(run.Leadership.IsLeader);
        Assert.False(run.Token.IsCancellationRequested);
        await _job.StopAsync(default);
    }

    [Fact]
    public async Task The_token_fires_when_leadership_ends_and_the_job_runs_again_when_it_is_regained()
    {
        _leader.Lead(1);
        await _job.StartAsync(default);
        var first = await _job.NextRunAsync();
        _leader.Lose();
        await first.EndedAsync();
        _leader.Lead(2);
        Assert.Equal(2, (await _job.NextRunAsync()).Leadership.Epoch);
        await _job.StopAsync(default);
    }

    [Fact]
    public async Task The_token_fires_when_the_gate_closes_and_the_job_runs_again_when_the_handoff_is_aborted()
    {
        _leader.Lead(1);
        await _job.StartAsync(default);
        var run = await _job.NextRunAsync();
        _leader.CloseGate();
        Assert.True(_leader.IsLeader);
        await run.EndedAsync();
        _leader.OpenGate();
        await _job.NextRunAsync();
        await _job.StopAsync(default);
    }

    [Fact]
    public async Task A_new_epoch_of_the_same_leader_starts_the_job_anew()
    {
        _leader.Lead(1);
        await _job.StartAsync(default);
        var run = await _job.NextRunAsync();
        _leader.Lead(2);
        await run.EndedAsync();
        Assert.Equal(2, (await _job.NextRunAsync()).Leadership.Epoch);
        await _job.StopAsync(default);
    }

    [Fact]
    public async Task The_token_fires_when_the_host_stops()
    {
        _leader.Lead(1);
        await _job.StartAsync(default);
        var run = await _job.NextRunAsync();
        await _job.StopAsync(default);
        Assert.True(run.Token.IsCancellationRequested);
        Assert.True(_job.ExecuteTask!.IsCompleted);
        Assert.False(_job.ExecuteTask.IsFaulted);
    }

    [Fact]
    public async Task A_job_that_throws_is_logged_and_runs_again_after_a_bounded_wait()
    {
        var log = new ErrorLog();
        var failures = 0;
        using var job = new Job(_leader, log, _clock)
        {
            Work = _ => Interlocked.Increment(ref failures) <= 8 ? throw new InvalidOperationException("broken") : Task.CompletedTask,
        };
        _leader.Lead(1);
        await job.StartAsync(default);
        await Eventually.True(() => Volatile.Read(ref failures) == 9);
        await job.StopAsync(default);
        Assert.Equal([1, 2, 4, 8, 16, 30, 30, 30], _clock.Waits.Select(wait => (int)wait.TotalSeconds));
        Assert.Equal(8, log.Errors.Count);
        Assert.All(log.Errors, error => Assert.Equal("broken", error.Message));
    }

    [Fact]
    public async Task A_job_that_throws_because_leadership_ended_waits_for_the_next_one()
    {
        using var job = new Job(_leader, NullLogger.Instance, _clock)
        {
            Work = async run =>
            {
                await run.EndedAsync();
                throw new InvalidOperationException("the connection was closed");
            },
        };
        _leader.Lead(1);
        await job.StartAsync(default);
        await job.NextRunAsync();
        _leader.Lose();
        _leader.Lead(2);
        Assert.Equal(2, (await job.NextRunAsync()).Leadership.Epoch);
        Assert.Empty(_clock.Waits);
        await job.StopAsync(default);
    }

    [Fact]
    public async Task A_job_that_returns_is_done_until_the_node_leads_anew()
    {
        using var job = new Job(_leader, NullLogger.Instance, _clock) { Work = _ => Task.CompletedTask };
        _leader.Lead(1);
        await job.StartAsync(default);
        await job.NextRunAsync();
        _leader.Lead(2);
        Assert.Equal(2, (await job.NextRunAsync()).Leadership.Epoch);
        Assert.False(job.Runs.TryRead(out _));
        await job.StopAsync(default);
    }

    [Fact]
    public async Task What_a_job_is_given_is_true_for_the_whole_term_also_after_a_failure()
    {
        var options = new HaOptions
        {
            NodeId = "a",
            LocalTarget = "http://a",
            HeartbeatInterval = TimeSpan.FromMilliseconds(50),
            LeaseTimeout = TimeSpan.FromSeconds(1),
        };
        await using var node = new LuxLeader(options);
        var failed = 0;
        using var job = new Job(node, NullLogger.Instance, _clock)
        {
            Work = run => failed++ == 0 ? throw new InvalidOperationException("broken") : Task.Delay(Timeout.Infinite, run.Token),
        };
        node.SetReady();
        await job.StartAsync(default);
        var first = await job.NextRunAsync();
        var second = await job.NextRunAsync();
        var started = TimeProvider.System.GetTimestamp();

        await Eventually.True(() => TimeProvider.System.GetElapsedTime(started) > options.LeaseTimeout);

        Assert.Equal((node.Current.Epoch, true), (first.Leadership.Epoch, first.Leadership.IsLeader));
        Assert.Equal((node.Current.Epoch, true), (second.Leadership.Epoch, second.Leadership.IsLeader));
        await job.StopAsync(default);
    }

    /// <summary>The host is disposed of without a stop then, and would say that this service failed, and name a setting of its own.</summary>
    [Fact]
    public async Task A_start_that_fails_ends_the_job_without_a_word()
    {
        var waits = new TaskCompletionSource();
        var follower = new Mock<ILeaderProvider>();
        follower.Setup(leader => leader.Current).Returns(_leader.Current);
        follower.Setup(leader => leader.GetChangeToken()).Callback(() => waits.TrySetResult()).Returns(_leader.GetChangeToken());
        Job job;
        await using (var app = TestApp.Create(TestApp.Inactive, builder =>
        {
            builder.Services.AddSingleton<IHostedService>(_ => new Job(follower.Object, NullLogger.Instance, _clock));
            builder.Services.AddSingleton<IHostedService>(new Broken(waits.Task));
        }))
        {
            job = app.Services.GetServices<IHostedService>().OfType<Job>().Single();
            await Assert.ThrowsAsync<IOException>(() => app.StartAsync());
        }

        await job.ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task With_the_plugin_off_the_job_simply_runs()
    {
        using var job = new Job(new StaticLeader("n1"), NullLogger.Instance, _clock);
        await job.StartAsync(default);
        Assert.Equal(0, (await job.NextRunAsync()).Leadership.Epoch);
        await job.StopAsync(default);
    }

    [Fact]
    public async Task A_fixed_leader_elsewhere_keeps_the_job_away()
    {
        using var job = new Job(new StaticLeader("n1", "http://b", "http://a"), NullLogger.Instance, _clock);
        await job.StartAsync(default);
        await job.StopAsync(default);
        Assert.False(job.Runs.TryRead(out _));
    }

    internal sealed record Run(LeadershipSnapshot Leadership, CancellationToken Token)
    {
        public Task EndedAsync() => Eventually.True(() => Token.IsCancellationRequested);
    }

    internal sealed class Job : LeaderBackgroundService
    {
        private readonly Channel<Run> _runs = Channel.CreateUnbounded<Run>();

        public Job(ILeaderProvider leader, ILogger logger, TimeProvider clock)
            : base(leader, logger) => Clock = clock;

        public ChannelReader<Run> Runs => _runs.Reader;

        public Func<Run, Task> Work { get; init; } = run => Task.Delay(Timeout.Infinite, run.Token);

        public Task<Run> NextRunAsync() => _runs.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));

        protected override Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken)
        {
            var run = new Run(leadership, cancellationToken);
            _runs.Writer.TryWrite(run);
            return Work(run);
        }
    }

    private sealed class Broken(Task first) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            await first;
            throw new IOException("address already in use");
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class ErrorLog : ILogger
    {
        public List<Exception> Errors { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Error)
            {
                Errors.Add(exception!);
            }
        }
    }
}
