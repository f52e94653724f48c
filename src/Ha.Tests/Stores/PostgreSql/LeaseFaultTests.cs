using Ha.Cli.Processes;
using Ha.PostgreSql;
using Ha.Tests.Support;
using Npgsql;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>A server that is slow, stands still, ends, is full, or is the wrong one.</summary>
[Collection(LeaseServerTests.Name)]
public sealed class LeaseFaultTests(PostgresServer server)
{
    private static readonly LeaseMember _a = LeaseRoom.Member("a");

    /// <summary>What a call may need to end once its token has fired, on a machine that is busy.</summary>
    private static readonly TimeSpan _soonAfter = TimeSpan.FromSeconds(2);

    [FactIfPostgres]
    public async Task A_call_ends_with_its_token_while_the_row_is_locked_and_the_next_one_works()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        var taken = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        await using (var connection = new NpgsqlConnection(room.ConnectionString + ";Pooling=false"))
        {
            await connection.OpenAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var command = new NpgsqlCommand("SELECT FROM ha_lease WHERE node = '' FOR UPDATE", connection);
            await command.ExecuteNonQueryAsync();
            for (var i = 0; i < 6; i++)
            {
                await EndsWithItsTokenAsync(token => store.TryWriteAsync(LeaseRoom.Record(_a, 1), taken.Version, _a, token));
            }

            // Whoever only reads does not care.
            Assert.Equal(taken.Version, (await store.ReadAsync(_a, LeaseRoom.Soon())).Version);
            await transaction.RollbackAsync();
        }

        // A call that was given up may have come first, once.
        var last = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), taken.Version, _a, LeaseRoom.Soon());
        Assert.Equal(LeaseRoom.Record(_a, 1), last.Record);
        Assert.True((await store.TryWriteAsync(LeaseRoom.Record(_a, 1), last.Version, _a, LeaseRoom.Soon())).Written);
        await Eventually.True(async () => (await room.BackendsAsync()).Length <= 3);
    }

    [FactIfPostgres]
    public async Task A_call_ends_with_its_token_while_its_session_stands_still_and_the_next_one_works()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        var taken = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        foreach (var backend in await room.BackendsAsync())
        {
            Assert.True(Posix.Signal(backend, Posix.SigStop));
            try
            {
                await EndsWithItsTokenAsync(token => store.ReadAsync(_a, token));
                // On a connection of its own, beside the one that stands.
                Assert.Equal(taken.Version, (await store.ReadAsync(_a, LeaseRoom.Soon())).Version);
            }
            finally
            {
                Posix.Signal(backend, Posix.SigCont);
            }
        }
    }

    [FactIfPostgres]
    public async Task A_server_that_accepts_and_says_nothing_holds_up_nobody()
    {
        using var mute = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        mute.Start();
        var port = ((System.Net.IPEndPoint)mute.LocalEndpoint).Port;
        await using var store = new PostgreSqlLeaseStore($"Host=127.0.0.1;Port={port};Username=postgres", "c", LeaseRoom.Lease, null, null);
        for (var i = 0; i < 6; i++)
        {
            await EndsWithItsTokenAsync(token => store.ReadAsync(_a, token));
        }
    }

    [FactIfPostgres]
    public async Task A_token_that_has_fired_asks_nothing()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        using var fired = new CancellationTokenSource();
        await fired.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, fired.Token));
        Assert.Null((await store.ReadAsync(_a, LeaseRoom.Soon())).Record);
    }

    [FactIfPostgres]
    public async Task Terminated_sessions_fail_one_call_at_most_and_lose_nothing()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        var version = (await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Version;
        for (var i = 0; i < 5; i++)
        {
            await room.RunAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity " +
                "WHERE application_name = 'ha-lease' AND datname = current_database()");
            version = await WriteAsync(store, version, failures: 1);
        }
    }

    [FactIfPostgres]
    public async Task A_server_that_was_killed_and_is_back_has_the_lease()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        var version = (await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Version;
        await server.StopAsync();
        try
        {
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => store.ReadAsync(_a, LeaseRoom.Soon()));
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => store.ReadAsync(_a, LeaseRoom.Soon()));
        }
        finally
        {
            await server.StartAgainAsync();
        }

        await WriteAsync(store, version, failures: 1);
    }

    [FactIfPostgres]
    public async Task Connected_nodes_do_not_mind_that_all_connections_are_taken()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        var version = (await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Version;
        var database = new NpgsqlConnectionStringBuilder(room.ConnectionString).Database!;
        await room.RunAsync($"CREATE ROLE crowd LOGIN; ALTER DATABASE {database} CONNECTION LIMIT 4; GRANT ALL ON ALL TABLES IN SCHEMA public TO crowd");
        try
        {
            // The limit counts for those who are no superuser.
            var asCrowd = new NpgsqlConnectionStringBuilder(room.ConnectionString) { Username = "crowd" }.ConnectionString;
            var connected = room.Store(asCrowd);
            await connected.ReadAsync(_a, LeaseRoom.Soon());
            var crowd = await CrowdAsync(asCrowd);
            var late = room.Store(asCrowd);
            var full = await Assert.ThrowsAsync<PostgresException>(() => late.ReadAsync(_a, LeaseRoom.Soon()));
            Assert.Equal(PostgresErrorCodes.TooManyConnections, full.SqlState);
            version = await WriteAsync(connected, version, failures: 0);

            foreach (var connection in crowd)
            {
                await connection.DisposeAsync();
            }

            await Eventually.NotNull(async () =>
            {
                try
                {
                    return await late.ReadAsync(_a, LeaseRoom.Soon());
                }
                catch (PostgresException)
                {
                    return null;
                }
            });
        }
        finally
        {
            await room.DisposeAsync();
            await room.RunAsync("DROP OWNED BY crowd; DROP ROLE crowd");
        }
    }

    [FactIfPostgres]
    public async Task A_database_that_is_read_only_is_refused_in_plain_words()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        await room.Store().ReadAsync(_a, LeaseRoom.Soon());
        await room.RunAsync($"ALTER DATABASE {new NpgsqlConnectionStringBuilder(room.ConnectionString).Database} SET default_transaction_read_only = on");
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => room.Store().ReadAsync(_a, LeaseRoom.Soon()));
        Assert.Contains("takes no writes", e.Message, StringComparison.Ordinal);
    }

    [FactIfPostgres]
    [Trait("Category", "Long")]
    public async Task A_replica_is_refused_and_of_several_hosts_the_primary_is_taken()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        await room.Store().ReadAsync(_a, LeaseRoom.Soon());
        var replica = await server.NewReplicaAsync();
        try
        {
            var there = new NpgsqlConnectionStringBuilder(room.ConnectionString) { Port = replica.Port }.ConnectionString;
            var e = await Assert.ThrowsAsync<InvalidOperationException>(() => room.Store(there).ReadAsync(_a, LeaseRoom.Soon()));
            Assert.Contains("it is a replica", e.Message, StringComparison.Ordinal);

            var both = new NpgsqlConnectionStringBuilder(room.ConnectionString) { Host = $"127.0.0.1:{replica.Port},127.0.0.1:{server.Port}" }.ConnectionString;
            Assert.True((await room.Store(both).TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Written);

            // A source of the application's own is told the same.
            await using var source = NpgsqlDataSource.Create(both);
            await using var onSource = new PostgreSqlLeaseStore(source, "c", LeaseRoom.Lease, null, null);
            Assert.NotNull((await onSource.ReadAsync(_a, LeaseRoom.Soon())).Record);

            await using var replicas = room.Store(new NpgsqlConnectionStringBuilder(both) { Host = $"127.0.0.1:{replica.Port},127.0.0.1:{replica.Port}" }.ConnectionString);
            var none = await Assert.ThrowsAsync<InvalidOperationException>(() => replicas.ReadAsync(_a, LeaseRoom.Soon()));
            Assert.Contains("is there and takes writes", none.Message, StringComparison.Ordinal);
        }
        finally
        {
            await replica.DisposeAsync();
        }
    }

    private static async Task<List<NpgsqlConnection>> CrowdAsync(string connectionString)
    {
        var crowd = new List<NpgsqlConnection>();
        while (crowd.Count < 10)
        {
            var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
            try
            {
                await connection.OpenAsync();
                crowd.Add(connection);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.TooManyConnections)
            {
                await connection.DisposeAsync();
                return crowd;
            }
        }

        throw new InvalidOperationException("There is no limit.");
    }

    private static async Task<string?> WriteAsync(PostgreSqlLeaseStore store, string? version, int failures)
    {
        for (var failed = 0; ; failed++)
        {
            try
            {
                var answer = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), version, _a, LeaseRoom.Soon());
                Assert.True(answer.Written);
                return answer.Version;
            }
            catch (NpgsqlException) when (failed < failures)
            {
            }
        }
    }

    private static async Task EndsWithItsTokenAsync(Func<CancellationToken, Task> call)
    {
        using var token = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var since = TimeProvider.System.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call(token.Token));
        Assert.InRange(TimeProvider.System.GetElapsedTime(since), TimeSpan.FromMilliseconds(150), TimeSpan.FromMilliseconds(200) + _soonAfter);
    }
}
