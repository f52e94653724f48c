using Ha.PostgreSql;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Npgsql;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>Notifications, where they get through, and pgbouncer in transaction mode, where they do not.</summary>
[Collection(LeaseServerTests.Name)]
public sealed class LeaseListenTests(PostgresServer server)
{
    private static readonly LeaseMember _a = LeaseRoom.Member("a");

    [FactIfPostgres]
    public async Task Those_who_wait_wake_when_somebody_writes_and_all_share_one_connection()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var (one, other) = (room.Store(), room.Store());
        var version = (await one.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Version;
        await ListensAsync(other);
        for (var i = 0; i < 3; i++)
        {
            var waits = Enumerable.Range(0, 5).Select(_ => other.WaitForChangeAsync(LeaseRoom.Soon())).ToArray();
            version = (await one.TryWriteAsync(LeaseRoom.Record(_a, 1), version, _a, LeaseRoom.Soon())).Version;
            await Task.WhenAll(waits);
        }

        Assert.Equal(1, await ListenersAsync(room));

        // Another cluster's changes are nobody's business here.
        var wait = other.WaitForChangeAsync(LeaseRoom.Soon());
        var elsewhere = room.Store(cluster: "d");
        Assert.True((await elsewhere.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Written);
        await other.ReadAsync(_a, LeaseRoom.Soon());
        Assert.False(wait.IsCompleted);
        await other.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
    }

    [FactIfPostgres]
    public async Task A_wait_ends_with_its_token()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var listening = room.Store();
        await ListensAsync(listening);
        foreach (var store in new[] { listening, room.Store(options: new PostgreSqlLeaseOptions { ListenConnectionString = "" }) })
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.WaitForChangeAsync(LeaseRoom.Soon(100)));
        }
    }

    [FactIfPostgres]
    [Trait("Category", "Long")]
    public async Task Whoever_waits_wakes_when_the_connection_broke_and_is_back()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        await ListensAsync(store);
        for (var i = 0; i < 2; i++)
        {
            var wait = store.WaitForChangeAsync(LeaseRoom.Soon());
            await room.RunAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()");
            await wait;
        }

        var over = store.WaitForChangeAsync(LeaseRoom.Soon(60_000));
        await server.StopAsync();
        await server.StartAgainAsync();
        await over;
    }

    [FactIfPgBouncer]
    public async Task Behind_a_pooler_in_transaction_mode_all_works_but_LISTEN_which_says_so_once()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        await using var bouncer = await PgBouncer.StartAsync(server);
        using var logs = new RecordedLogs();
        var (one, other) = (room.Store(bouncer.Through(room.ConnectionString), logger: logs), room.Store(bouncer.Through(room.ConnectionString)));
        var wait = one.WaitForChangeAsync(CancellationToken.None);
        string? version = null;
        for (var i = 1; i <= 100; i++)
        {
            var answers = await Task.WhenAll(
                one.TryWriteAsync(LeaseRoom.Record(_a, i), version, _a, LeaseRoom.Soon()),
                other.TryWriteAsync(LeaseRoom.Record(_a, i), version, _a, LeaseRoom.Soon()));
            version = Assert.Single(answers, answer => answer.Written).Version;
            Assert.Equal(version, (await one.ReadAsync(_a, LeaseRoom.Soon())).Version);
        }

        await Eventually.True(() => one.ListenGivenUp);
        Assert.Contains("transaction mode", Assert.Single(logs.Entries, entry => entry.Id == 1).Text, StringComparison.Ordinal);
        Assert.True((await other.TryWriteAsync(LeaseRoom.Record(_a, 101), version, _a, LeaseRoom.Soon())).Written);
        Assert.False(wait.IsCompleted);
        await one.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
    }

    [FactIfPgBouncer]
    public async Task Behind_a_pooler_LISTEN_may_go_around_it()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        await using var bouncer = await PgBouncer.StartAsync(server);
        var options = new PostgreSqlLeaseOptions { ListenConnectionString = room.ConnectionString };
        var (one, other) = (room.Store(bouncer.Through(room.ConnectionString)), room.Store(bouncer.Through(room.ConnectionString), options: options));
        var version = (await one.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Version;
        await ListensAsync(other);
        var wait = other.WaitForChangeAsync(LeaseRoom.Soon());
        await one.TryWriteAsync(LeaseRoom.Record(_a, 1), version, _a, LeaseRoom.Soon());
        await wait;
        Assert.False(other.ListenGivenUp);
    }

    [FactIfPostgres]
    public async Task A_source_of_the_applications_own_may_multiplex_and_then_cannot_listen()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        foreach (var multiplexing in new[] { false, true })
        {
            using var logs = new RecordedLogs();
            await using var source = NpgsqlDataSource.Create(room.ConnectionString + $";Multiplexing={multiplexing}");
            await using var store = new PostgreSqlLeaseStore(source, $"m{multiplexing}", LeaseRoom.Lease, null, logs);
            string? version = null;
            for (var i = 1; i <= 20; i++)
            {
                var answer = await store.TryWriteAsync(LeaseRoom.Record(_a, i), version, _a, LeaseRoom.Soon());
                Assert.True(answer.Written);
                version = answer.Version;
                Assert.Equal(version, (await store.ReadAsync(_a, LeaseRoom.Soon())).Version);
            }

            if (multiplexing)
            {
                _ = store.WaitForChangeAsync(CancellationToken.None).ContinueWith(wait => wait.Exception, TaskScheduler.Default);
                await Eventually.True(() => store.ListenGivenUp);
                Assert.Single(logs.Entries, entry => entry.Id == 1);
            }
            else
            {
                await ListensAsync(store);
            }
        }

        // In a connection string it is switched off for the lease.
        await using var plain = room.Store(room.ConnectionString + ";Multiplexing=true");
        await plain.ReadAsync(_a, LeaseRoom.Soon());
        await ListensAsync(plain);
    }

    /// <summary>The first wake-up says that it listens from now on.</summary>
    private static Task ListensAsync(PostgreSqlLeaseStore store) => store.WaitForChangeAsync(LeaseRoom.Soon());

    private static async Task<long> ListenersAsync(LeaseRoom room) =>
        (long)(await room.RunAsync("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"))!;
}
