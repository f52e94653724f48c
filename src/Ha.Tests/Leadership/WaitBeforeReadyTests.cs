using Ha.Testing;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Leadership;

/// <summary>Waiting for a leader where this node's own start waits for it.</summary>
public sealed class WaitBeforeReadyTests : IDisposable
{
    private readonly RecordedLogs _logs = new();
    private readonly InstantClock _clock = new();

    public void Dispose() => _logs.Dispose();

    [Fact]
    public async Task A_wait_that_keeps_the_server_from_listening_is_named_with_its_remedy()
    {
        await using var node = Node();
        node.SetStarting();
        var waiting = node.WaitForLeaderAsync();

        await Eventually.True(() => _logs.Entries.Any(entry => entry.Id == 1023));

        Assert.Contains("IHostedLifecycleService.StartedAsync", _logs.Entries.Single(entry => entry.Id == 1023).Text, StringComparison.Ordinal);
        Assert.Equal([TimeSpan.FromSeconds(5)], _clock.Waits.Where(wait => wait == TimeSpan.FromSeconds(5)));
        node.SetReady();
        Assert.True((await waiting).IsLeader);
    }

    /// <summary>Nobody can come to lead, however long: the start is what waits.</summary>
    [Fact]
    public async Task A_wait_that_keeps_the_start_from_beginning_fails_and_says_where_to_wait()
    {
        await using var leader = Node();
        await using var app = App(leader);

        foreach (var _ in new[] { "the one that watched", "a later one" })
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => leader.WaitForLeaderAsync().WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.Contains("IHostedLifecycleService.StartedAsync", refused.Message, StringComparison.Ordinal);
        }

        await app.StartAsync();
        Assert.True((await leader.WaitForLeaderAsync()).IsLeader);
        await app.StopAsync();
    }

    [Fact]
    public async Task A_background_service_may_wait_while_the_start_takes_its_time()
    {
        await using var leader = Node();
        using var waiter = new Waiter(leader);
        await using var app = App(leader, waiter, new Slow(() => _logs.Entries.Any(entry => entry.Id == 1023)));

        await app.StartAsync();

        Assert.True((await waiter.Leader.Task.WaitAsync(TimeSpan.FromSeconds(30))).IsLeader);
        await app.StopAsync();
    }

    [Fact]
    public async Task A_lease_in_a_store_may_be_another_s_before_this_node_listens()
    {
        var clock = new FakeTimeProvider();
        await using var store = new InMemoryLeaseStore();
        await using var other = new LeaseLeader(new HaOptions { NodeId = "b", LocalTarget = "http://b" }, store.Connect());
        await using var node = new LeaseLeader(new HaOptions { NodeId = "a", LocalTarget = "http://a" }, store.Connect(), clock, _logs);
        var waiting = node.WaitForLeaderAsync();
        await Eventually.True(() => Later(_logs.Entries.Any(entry => entry.Id == 1023)));

        other.SetReady();

        await Eventually.True(() => Later(waiting.IsCompleted));
        Assert.Equal("b", (await waiting).LeaderId);

        bool Later(bool done)
        {
            clock.Advance(TimeSpan.FromMilliseconds(100));
            return done;
        }
    }

    [Fact]
    public async Task A_wait_on_a_node_that_listens_is_as_it_should_be()
    {
        await using var node = Node();
        node.SetReady();
        await node.WaitForLeaderAsync();
        Assert.DoesNotContain(TimeSpan.FromSeconds(5), _clock.Waits);
    }

    /// <summary>Services are told of the start in the order of their registration, one after the other.</summary>
    [Fact]
    public async Task A_service_that_was_registered_before_AddHa_may_wait_once_all_have_started()
    {
        var early = new Early();
        await using var app = TestApp.Create(
            [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "a")],
            builder =>
            {
                builder.Services.AddSingleton<IHostedService>(services =>
                {
                    early.Leader = services.GetRequiredService<ILeaderProvider>();
                    return early;
                });
                builder.Services.AddHa();
            },
            addHa: false);

        await app.StartAsync().WaitAsync(TimeSpan.FromSeconds(30));

        Assert.True(early.Leader!.IsLeader);
        await app.StopAsync();
    }

    private WebApplication App(LuxLeader leader, params IHostedService[] services) => TestApp.Create(
        [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "a")],
        builder =>
        {
            builder.Services.AddSingleton<ILeaderProvider>(leader);
            builder.Services.AddSingleton<ILoggerFactory>(_logs);
            Array.ForEach(services, service => builder.Services.AddSingleton(service));
        });

    private LuxLeader Node() => new(new HaOptions { NodeId = "a", LocalTarget = "http://a" }, clock: _clock, loggers: _logs);

    private sealed class Waiter(ILeaderProvider leader) : BackgroundService
    {
        public TaskCompletionSource<LeadershipSnapshot> Leader { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            try
            {
                Leader.SetResult(await leader.WaitForLeaderAsync(stoppingToken));
            }
            catch (InvalidOperationException e)
            {
                Leader.SetException(e);
            }
        }
    }

    private sealed class Slow(Func<bool> done) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Eventually.True(done);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Early : IHostedLifecycleService
    {
        public ILeaderProvider? Leader { get; set; }

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StartedAsync(CancellationToken cancellationToken) => await Leader!.WaitForLeaderAsync(cancellationToken);

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
