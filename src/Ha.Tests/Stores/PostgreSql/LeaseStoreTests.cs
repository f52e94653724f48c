using Ha.Leases;
using Ha.PostgreSql;
using Ha.Tests.Support;
using Npgsql;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>One register per cluster, compared and set by real statements on a real server.</summary>
[Collection(LeaseServerTests.Name)]
public sealed class LeaseStoreTests(PostgresServer server) : IAsyncLifetime
{
    private static readonly LeaseMember _a = LeaseRoom.Member("a");
    private static readonly LeaseMember _b = LeaseRoom.Member("b");
    private LeaseRoom _room = null!;

    public async Task InitializeAsync() => _room = PostgresIsHere ? await LeaseRoom.OpenAsync(server) : null!;

    private static bool PostgresIsHere => FactIfPostgresAttribute.Obstacle is null;

    public async Task DisposeAsync() => await (_room?.DisposeAsync() ?? ValueTask.CompletedTask);

    [FactIfPostgres]
    public async Task A_lease_is_taken_renewed_released_and_taken_again()
    {
        var (one, other) = (_room.Store(), _room.Store());
        var nothing = await one.ReadAsync(_a, LeaseRoom.Soon());
        Assert.Equal((false, null, null, null), (nothing.Written, nothing.Record, nothing.Version, nothing.Age));

        var taken = await one.TryWriteAsync(LeaseRoom.Record(_a, 7), null, _a, LeaseRoom.Soon());
        Assert.True(taken.Written);
        var renewed = await one.TryWriteAsync(LeaseRoom.Record(_a, 7), taken.Version, _a, LeaseRoom.Soon());
        Assert.True(renewed.Written);
        Assert.NotEqual(taken.Version, renewed.Version);

        var seen = await other.ReadAsync(_b, LeaseRoom.Soon());
        Assert.Equal((false, LeaseRoom.Record(_a, 7), renewed.Version), (seen.Written, seen.Record, seen.Version));
        Assert.InRange(seen.Age!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(20));

        var released = LeaseRoom.Record(_a, 7) with { HolderId = null, Successor = "b" };
        var gone = await one.TryWriteAsync(released, renewed.Version, _a, LeaseRoom.Soon());
        Assert.True(gone.Written);
        Assert.Equal(released, (await other.ReadAsync(_b, LeaseRoom.Soon())).Record);
        Assert.True((await other.TryWriteAsync(LeaseRoom.Record(_b, 8), gone.Version, _b, LeaseRoom.Soon())).Written);
    }

    [FactIfPostgres]
    public async Task A_write_against_another_version_is_refused_and_shows_what_is_there()
    {
        var (one, other) = (_room.Store(), _room.Store());
        var first = await one.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        var second = await one.TryWriteAsync(LeaseRoom.Record(_a, 1), first.Version, _a, LeaseRoom.Soon());
        foreach (var expected in new[] { first.Version, null, "no version at all", "" })
        {
            var refused = await other.TryWriteAsync(LeaseRoom.Record(_b, 2), expected, _b, LeaseRoom.Soon());
            Assert.Equal((false, LeaseRoom.Record(_a, 1), second.Version), (refused.Written, refused.Record, refused.Version));
        }
    }

    [FactIfPostgres]
    public async Task Of_two_claimants_exactly_one_writes_a_thousand_times()
    {
        var (one, other) = (_room.Store(), _room.Store());
        await Task.WhenAll(one.ReadAsync(_a, LeaseRoom.Soon()), other.ReadAsync(_b, LeaseRoom.Soon()));
        string? version = null;
        for (var round = 1; round <= 1000; round++)
        {
            if (round % 100 == 0)
            {
                await _room.RunAsync("DELETE FROM ha_lease WHERE node = ''");
                version = null;
            }

            version = await DuelAsync(one, other, version, round);
        }
    }

    [FactIfPostgres]
    public async Task Of_two_claimants_exactly_one_writes_also_under_stricter_isolation()
    {
        foreach (var level in new[] { "repeatable read", "serializable" })
        {
            await _room.RunAsync($"ALTER ROLE postgres IN DATABASE {new NpgsqlConnectionStringBuilder(_room.ConnectionString).Database} " +
                $"SET default_transaction_isolation = '{level}'");
            await using var room = new AsyncStores(_room.ConnectionString, level);
            string? version = null;
            for (var round = 1; round <= 100; round++)
            {
                version = await DuelAsync(room.One, room.Other, version, round);
            }
        }
    }

    [FactIfPostgres]
    public async Task A_version_from_before_a_deletion_never_comes_back()
    {
        var store = _room.Store();
        var first = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        await _room.RunAsync("DELETE FROM ha_lease WHERE node = ''");
        var absent = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), first.Version, _a, LeaseRoom.Soon());
        Assert.Equal((false, null, null), (absent.Written, absent.Record, absent.Version));

        var second = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        Assert.True(second.Written);
        Assert.False((await store.TryWriteAsync(LeaseRoom.Record(_a, 1), first.Version, _a, LeaseRoom.Soon())).Written);
    }

    [FactIfPostgres]
    public async Task An_edit_by_hand_is_another_version()
    {
        var store = _room.Store();
        var mine = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        await _room.RunAsync("UPDATE ha_lease SET epoch = 99 WHERE node = ''");
        var edited = await store.ReadAsync(_a, LeaseRoom.Soon());
        Assert.NotEqual(mine.Version, edited.Version);
        Assert.Equal(LeaseRoom.Record(_a, 99), edited.Record);
        Assert.False((await store.TryWriteAsync(LeaseRoom.Record(_a, 1), mine.Version, _a, LeaseRoom.Soon())).Written);

        await _room.RunAsync("UPDATE ha_lease SET version = NULL, holder = NULL WHERE node = ''");
        edited = await store.ReadAsync(_a, LeaseRoom.Soon());
        Assert.Null(edited.Record!.HolderId);
        Assert.True((await store.TryWriteAsync(LeaseRoom.Record(_a, 100), edited.Version, _a, LeaseRoom.Soon())).Written);
    }

    /// <summary>Least of all for a release, which would be claimed at once beside a leader that has not looked yet.</summary>
    [FactIfPostgres]
    public async Task A_duration_that_makes_no_sense_is_not_taken_for_one_that_does()
    {
        var store = _room.Store();
        await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        foreach (var micros in new[] { -5, long.MinValue, long.MaxValue, TimeSpan.MicrosecondsPerHour + 1 })
        {
            foreach (var holder in new[] { "'a'", "NULL" })
            {
                await _room.RunAsync($"UPDATE ha_lease SET lease_micros = {micros}, holder = {holder} WHERE node = ''");
                var edited = await store.ReadAsync(_b, LeaseRoom.Soon());
                Assert.Equal(LeaseState.Nonsense, Sighting.StateOf(edited.Record));
            }
        }

        var last = await store.ReadAsync(_b, LeaseRoom.Soon());
        Assert.True((await store.TryWriteAsync(LeaseRoom.Record(_b, 2), last.Version, _b, LeaseRoom.Soon())).Written);
    }

    [FactIfPostgres]
    public async Task A_time_that_cannot_be_stops_neither_reads_nor_writes()
    {
        var store = _room.Store();
        var version = (await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon())).Version;
        await store.ReadAsync(_b, LeaseRoom.Soon());
        foreach (var (time, age) in new[] { ("infinity", 0), ("-infinity", 1), ("294276-12-31", 0), ("4713-01-01 BC", 1) })
        {
            // Of a member, and of the lease itself.
            await _room.RunAsync($"UPDATE ha_lease SET written_at = '{time}' WHERE node IN ('', 'b')");
            var read = await store.ReadAsync(_a, LeaseRoom.Soon());
            Assert.Equal(LeaseRoom.Record(_a, 1), read.Record);
            Assert.All(
                [read.Age!.Value, read.Members!.Single(m => m.NodeId == "b").Age],
                shown => Assert.InRange(shown, TimeSpan.FromDays(age) - TimeSpan.FromSeconds(1), TimeSpan.FromDays(age) + TimeSpan.FromSeconds(1)));
            Assert.False((await store.TryWriteAsync(LeaseRoom.Record(_a, 1), version, _a, LeaseRoom.Soon())).Written);
            version = (await store.TryWriteAsync(LeaseRoom.Record(_a, 1), read.Version, _a, LeaseRoom.Soon())).Version;
            Assert.NotNull(version);
            await store.ReadAsync(_b, LeaseRoom.Soon());
        }
    }

    [FactIfPostgres]
    public async Task A_statement_takes_no_longer_than_a_lease_whatever_the_connection_string_says()
    {
        var store = _room.Store(through: $"{_room.ConnectionString};Command Timeout=0", lease: TimeSpan.FromMilliseconds(500));
        await store.ReadAsync(_a, LeaseRoom.Soon());
        await using var other = new NpgsqlConnection(_room.ConnectionString);
        await other.OpenAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await using var held = new NpgsqlCommand("LOCK TABLE ha_lease", other, transaction);
        await held.ExecuteNonQueryAsync();
        var e = await Assert.ThrowsAsync<NpgsqlException>(() => store.ReadAsync(_a, LeaseRoom.Soon()));
        Assert.IsType<TimeoutException>(e.InnerException);
    }

    [FactIfPostgres]
    public async Task A_version_survives_the_servers_housekeeping()
    {
        var store = _room.Store();
        var mine = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        await _room.RunAsync("VACUUM (FULL, FREEZE) ha_lease");
        Assert.True((await store.TryWriteAsync(LeaseRoom.Record(_a, 1), mine.Version, _a, LeaseRoom.Soon())).Written);
    }

    /// <summary>The rows come before the commit. A server that cannot commit has said so only after them.</summary>
    [FactIfPostgres]
    public async Task A_write_whose_commit_fails_is_not_written()
    {
        var store = _room.Store();
        await store.ReadAsync(_a, LeaseRoom.Soon());
        await _room.RunAsync("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no commit'; END $$;
            CREATE CONSTRAINT TRIGGER late AFTER INSERT ON ha_lease DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.node = '')
            EXECUTE FUNCTION refuse()
            """);
        await Assert.ThrowsAsync<PostgresException>(() => store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon()));
        Assert.Null((await store.ReadAsync(_a, LeaseRoom.Soon())).Record);
    }

    [FactIfPostgres]
    public async Task Members_are_those_who_called()
    {
        var (one, other) = (_room.Store(), _room.Store());
        await one.ReadAsync(_a, LeaseRoom.Soon());
        var changed = _b with { Eligible = false, Url = "" };
        await other.TryWriteAsync(LeaseRoom.Record(_b, 1), null, _b, LeaseRoom.Soon());
        Assert.Equal([_a, changed], Listed(await other.ReadAsync(changed, LeaseRoom.Soon())));

        var namesake = LeaseRoom.Member("a");
        Assert.Equal(3, (await one.ReadAsync(namesake, LeaseRoom.Soon())).Members!.Count);
        await one.LeaveAsync(_a, LeaseRoom.Soon());
        Assert.Equal([namesake, changed], Listed(await other.ReadAsync(changed, LeaseRoom.Soon())));
    }

    [FactIfPostgres]
    public async Task Members_of_long_ago_are_forgotten_by_the_next_write()
    {
        var store = _room.Store();
        await store.ReadAsync(_b, LeaseRoom.Soon());
        var taken = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        Assert.Equal(2, (await store.ReadAsync(_a, LeaseRoom.Soon())).Members!.Count);
        await _room.RunAsync("UPDATE ha_lease SET written_at = written_at - interval '61 seconds'");
        var read = await store.ReadAsync(_a, LeaseRoom.Soon());
        Assert.Equal(2, read.Members!.Count);
        Assert.InRange(read.Age!.Value, TimeSpan.FromSeconds(61), TimeSpan.FromSeconds(90));
        await store.TryWriteAsync(LeaseRoom.Record(_a, 1), read.Version, _a, LeaseRoom.Soon());
        Assert.Equal(["a"], (await store.ReadAsync(_a, LeaseRoom.Soon())).Members!.Select(m => m.NodeId));
        Assert.NotEqual(taken.Version, read.Version);
    }

    [FactIfPostgres]
    public async Task Clusters_and_tables_do_not_see_each_other()
    {
        await _room.RunAsync("CREATE SCHEMA other");
        var stores = new[]
        {
            _room.Store(), _room.Store(cluster: "d"), _room.Store(options: new PostgreSqlLeaseOptions { Table = "leases" }),
            _room.Store(options: new PostgreSqlLeaseOptions { Schema = "other" }),
        };
        foreach (var (store, epoch) in stores.Zip([1L, 2, 3, 4]))
        {
            Assert.True((await store.TryWriteAsync(LeaseRoom.Record(_a, epoch), null, _a, LeaseRoom.Soon())).Written);
        }

        foreach (var (store, epoch) in stores.Zip([1L, 2, 3, 4]))
        {
            Assert.Equal(epoch, (await store.ReadAsync(_a, LeaseRoom.Soon())).Record!.Epoch);
        }

        Assert.EndsWith($":{server.Port}/{new NpgsqlConnectionStringBuilder(_room.ConnectionString).Database}, table other.ha_lease", stores[3].Description, StringComparison.Ordinal);
    }

    /// <summary>What a call costs: one statement, and nothing around it.</summary>
    [FactIfPostgres]
    public async Task A_call_is_one_statement()
    {
        var database = new NpgsqlConnectionStringBuilder(_room.ConnectionString).Database;
        var store = _room.Store();
        var taken = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        await _room.RunAsync($"ALTER DATABASE {database} SET log_statement = 'all'");
        var seen = new System.Collections.Concurrent.ConcurrentQueue<string>();
        void Keep(string line)
        {
            if (line.StartsWith('[') && line.Contains($" {database}] LOG:", StringComparison.Ordinal))
            {
                seen.Enqueue(line);
            }
        }

        server.Logged += Keep;
        try
        {
            var counted = _room.Store();
            await counted.ReadAsync(_a, LeaseRoom.Soon());
            for (var i = 0; i < 9; i++)
            {
                await counted.ReadAsync(_a, LeaseRoom.Soon());
                taken = await counted.TryWriteAsync(LeaseRoom.Record(_a, 1), taken.Version, _a, LeaseRoom.Soon());
                Assert.True(taken.Written);
            }

            await _room.RunAsync("SELECT 'the end'");
        }
        finally
        {
            await Eventually.True(() => seen.Any(line => line.Contains("the end", StringComparison.Ordinal)));
            server.Logged -= Keep;
        }

        Assert.Equal(19, seen.Count(line => line.StartsWith("[ha-lease ", StringComparison.Ordinal)));
    }

    private static IEnumerable<LeaseMember> Listed(LeaseAnswer answer) =>
        answer.Members!.Select(m => m with { Age = TimeSpan.Zero }).OrderBy(m => m.NodeId, StringComparer.Ordinal);

    private static async Task<string> DuelAsync(PostgreSqlLeaseStore one, PostgreSqlLeaseStore other, string? version, int round)
    {
        var answers = await Task.WhenAll(
            Task.Run(() => one.TryWriteAsync(LeaseRoom.Record(_a, round), version, _a, LeaseRoom.Soon())),
            Task.Run(() => other.TryWriteAsync(LeaseRoom.Record(_b, round), version, _b, LeaseRoom.Soon())));
        var winner = Assert.Single(answers, answer => answer.Written);
        var loser = Assert.Single(answers, answer => !answer.Written);
        Assert.Equal((winner.Record, winner.Version), (loser.Record, loser.Version));
        Assert.NotEqual(version, winner.Version);
        return winner.Version!;
    }

    /// <summary>Two stores with connections that know the newest settings.</summary>
    private sealed class AsyncStores(string connectionString, string cluster) : IAsyncDisposable
    {
        public PostgreSqlLeaseStore One { get; } = new(connectionString, cluster, LeaseRoom.Lease, null, null);

        public PostgreSqlLeaseStore Other { get; } = new(connectionString, cluster, LeaseRoom.Lease, null, null);

        public async ValueTask DisposeAsync()
        {
            await One.DisposeAsync();
            await Other.DisposeAsync();
        }
    }
}
