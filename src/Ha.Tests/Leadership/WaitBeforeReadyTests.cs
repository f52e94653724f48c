using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

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
        var waiting = node.WaitForLeaderAsync();

        await Eventually.True(() => _logs.Entries.Any(entry => entry.Id == 1023));

        Assert.Contains("IHostedLifecycleService.StartedAsync", _logs.Entries.Single(entry => entry.Id == 1023).Text, StringComparison.Ordinal);
        Assert.Equal([TimeSpan.FromSeconds(5)], _clock.Waits.Where(wait => wait == TimeSpan.FromSeconds(5)));
        node.SetReady();
        Assert.True((await waiting).IsLeader);
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

    private LuxLeader Node() => new(new HaOptions { NodeId = "a", LocalTarget = "http://a" }, clock: _clock, loggers: _logs);

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
