using Ha.Configuration;
using Ha.Testing;
using Ha.Tests.Hosting;
using Ha.Tests.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Configuration;

/// <summary>What is wrong with settings that a delegate reads is told like all others, before the node takes part in anything.</summary>
public sealed class DelegateRunsTests
{
    [Fact]
    public async Task Settings_store_and_replicas_are_told_at_once()
    {
        await using var app = TestApp.Create(
            [
                ("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_LEASE_STORE", "postgres:Shop"), ("BASE_DRAIN_TIMEOUT", "-1s"),
                ("BASE_CLUSTER_SECRET", Settings.Secret),
            ],
            builder => builder.Services.AddHa(o => o.UsePostgreSql().UsePostgreSqlReplicas("ShopPrimary", "Host=b,c")));
        var error = await Assert.ThrowsAsync<InvalidHaOptionsException>(() => app.StartAsync());
        Assert.StartsWith("Ha cannot start, 4 settings are wrong:", $"{error}", StringComparison.Ordinal);
        Assert.Collection(
            error.Failures,
            failure => Assert.StartsWith("BASE_DRAIN_TIMEOUT (-1s) is negative", failure, StringComparison.Ordinal),
            failure => Assert.StartsWith("BASE_LEASE_STORE=postgres: names the connection string Shop, which", failure, StringComparison.Ordinal),
            failure => Assert.StartsWith("UsePostgreSqlReplicas: primary names the connection string ShopPrimary", failure, StringComparison.Ordinal),
            failure => Assert.StartsWith("UsePostgreSqlReplicas: replica names several servers", failure, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("redis:", "BASE_LEASE_STORE=redis: names no host")]
    [InlineData("kubernetes:Not_A_Name", "BASE_LEASE_STORE (kubernetes:Not_A_Name) names no Lease")]
    public async Task The_other_stores_refuse_alike(string store, string expected)
    {
        await using var app = TestApp.Create(
            [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_LEASE_STORE", store)],
            builder => builder.Services.AddHa(o => o.UseRedis().UseKubernetes()));
        var failure = Assert.Single((await Assert.ThrowsAsync<InvalidHaOptionsException>(() => app.StartAsync())).Failures);
        Assert.StartsWith(expected, failure, StringComparison.Ordinal);
        Assert.DoesNotContain("(Parameter", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Members_hear_nothing_of_a_node_whose_replica_is_wrong()
    {
        using var logs = new RecordedLogs();
        var early = new List<ILeaderProvider>();
        await using var app = TestApp.Create(Settings.Cluster(), builder =>
        {
            builder.Services.AddSingleton<ILoggerFactory>(logs);
            builder.Services.AddHostedService(services => new Early(early, services.GetRequiredService<ILeaderProvider>()));
            builder.Services.AddHa(o => o.UsePostgreSqlReplicas("Host=a", "Host=b,c"));
        });
        await Assert.ThrowsAsync<InvalidHaOptionsException>(() => app.StartAsync());
        Assert.Empty(early);
        Assert.DoesNotContain(logs.Entries, entry => entry.Text.Contains("takes part in the election", StringComparison.Ordinal));
    }

    [Fact]
    public void What_was_made_goes_when_something_else_is_wrong()
    {
        var store = new Store();
        using var services = new ServiceCollection().BuildServiceProvider();
        var options = Options(o =>
        {
            o.LeaseStores["own"] = _ => store;
            o.Consistency = _ => throw new OptionsValidationException("", typeof(HaOptions), ["no replica"]);
        });
        var error = Assert.Throws<InvalidHaOptionsException>(() => HaSettings.Parse(options, services: services));
        Assert.Equal(["no replica"], error.Failures);
        Assert.True(store.Disposed);
    }

    [Fact]
    public void What_fails_otherwise_is_thrown_as_it_is_unless_there_is_something_to_tell()
    {
        using var services = new ServiceCollection().BuildServiceProvider();
        var options = Options(o => o.LeaseStores["own"] = context => throw new ArgumentException("a bug", nameof(context)));
        Assert.Throws<ArgumentException>("context", () => HaSettings.Parse(options, services: services));
        options.DrainTimeout = TimeSpan.FromSeconds(-1);
        Assert.Single(Assert.Throws<InvalidHaOptionsException>(() => HaSettings.Parse(options, services: services)).Failures);
    }

    [Fact]
    public async Task A_delegate_that_needs_the_leader_to_be_there_hears_so()
    {
        await using var app = TestApp.Create(TestApp.FixedLeader, builder => builder.Services.AddHa(o =>
        {
            o.Insecure = true;
            o.Consistency = services => throw new InvalidOperationException($"{services.GetRequiredService<ILeaderProvider>()}");
        }));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync());
        Assert.Contains("such as ILeaderProvider", error.Message, StringComparison.Ordinal);
    }

    private static HaOptions Options(Action<HaOptions> configure)
    {
        var options = new HaOptions { NodeId = "n1", LocalTarget = "http://n1.example", LeaseStore = "own:", Insecure = true };
        configure(options);
        return options;
    }

    private sealed class Early : BackgroundService
    {
        public Early(List<ILeaderProvider> made, ILeaderProvider leader) => made.Add(leader);

        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }

    private sealed class Store : ILeaseStore
    {
        private readonly InMemoryLeaseStore _store = new();

        public bool Disposed { get; private set; }

        public string Description => _store.Description;

        public Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) => _store.ReadAsync(self, cancellationToken);

        public Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
            _store.TryWriteAsync(record, expected, self, cancellationToken);

        public Task WaitForChangeAsync(CancellationToken cancellationToken) => _store.WaitForChangeAsync(cancellationToken);

        public Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken) => _store.LeaveAsync(self, cancellationToken);

        public ValueTask DisposeAsync()
        {
            Disposed = true;
            return _store.DisposeAsync();
        }
    }
}
