using Ha.PostgreSql;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Npgsql;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>How the table comes about, and what people are told where it cannot.</summary>
[Collection(LeaseServerTests.Name)]
public sealed class LeaseTableTests(PostgresServer server)
{
    private const string Secret = "t0p-secret";
    private static readonly LeaseMember _a = LeaseRoom.Member("a");

    [FactIfPostgres]
    public async Task Ten_who_start_at_once_create_one_table()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        using var logs = new RecordedLogs();
        var stores = Enumerable.Range(0, 10).Select(_ => room.Store(logger: logs)).ToArray();
        var answers = await Task.WhenAll(stores.Select((store, i) => Task.Run(() =>
        {
            var self = LeaseRoom.Member($"n{i}");
            return store.TryWriteAsync(LeaseRoom.Record(self, i + 1), null, self, LeaseRoom.Soon());
        })));
        Assert.Single(answers, answer => answer.Written);
        Assert.Equal(11L, await room.RunAsync("SELECT count(*) FROM ha_lease"));
        Assert.Contains(logs.Entries, entry => entry.Id == 3);
    }

    [FactIfPostgres]
    public async Task A_table_that_is_dropped_comes_back_empty()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        var store = room.Store();
        var taken = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
        await room.RunAsync("DROP TABLE ha_lease");
        var answer = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), taken.Version, _a, LeaseRoom.Soon());
        Assert.Equal((false, null), (answer.Written, answer.Record));
    }

    [FactIfPostgres]
    public async Task A_role_without_rights_on_the_schema_uses_the_table_that_the_script_made()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        await room.RunAsync($"""CREATE ROLE "shop nodes" LOGIN PASSWORD '{Secret}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC""");
        try
        {
            var asNodes = new NpgsqlConnectionStringBuilder(room.ConnectionString) { Username = "shop nodes", Password = Secret }.ConnectionString;
            var (store, without) = (room.Store(asNodes), room.Store(asNodes, options: new PostgreSqlLeaseOptions { CreateTable = false }));
            Told(await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReadAsync(_a, LeaseRoom.Soon())), "has no table public.ha_lease");
            Told(await Assert.ThrowsAsync<InvalidOperationException>(() => without.ReadAsync(_a, LeaseRoom.Soon())), "CreateTable is off");

            await room.RunAsync(PostgreSqlLeaseStore.CreateTableSql(null, null));
            Told(await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReadAsync(_a, LeaseRoom.Soon())), "denies a right");

            await room.RunAsync(PostgreSqlLeaseStore.CreateTableSql(null, "shop nodes"));
            var taken = await store.TryWriteAsync(LeaseRoom.Record(_a, 1), null, _a, LeaseRoom.Soon());
            Assert.True((await without.TryWriteAsync(LeaseRoom.Record(_a, 1), taken.Version, _a, LeaseRoom.Soon())).Written);
            await store.LeaveAsync(_a, LeaseRoom.Soon());
        }
        finally
        {
            await room.RunAsync("""DROP OWNED BY "shop nodes"; DROP ROLE "shop nodes" """);
        }
    }

    [FactIfPostgres]
    public async Task A_table_of_another_shape_and_a_missing_schema_are_named()
    {
        await using var room = await LeaseRoom.OpenAsync(server);
        await room.RunAsync("CREATE TABLE ha_lease (id int)");
        Told(await Assert.ThrowsAsync<InvalidOperationException>(() => room.Store().ReadAsync(_a, LeaseRoom.Soon())), "of another shape");
        var store = room.Store(options: new PostgreSqlLeaseOptions { Schema = "nowhere" });
        Told(await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReadAsync(_a, LeaseRoom.Soon())), "Create the schema");
    }

    [Theory]
    [InlineData("ha-lease")]
    [InlineData("Lease")]
    [InlineData("1lease")]
    [InlineData("a\"; DROP TABLE notes; --")]
    [InlineData("")]
    public void A_name_that_needs_quotes_is_refused(string name)
    {
        var e = Assert.Throws<ArgumentException>(() => PostgreSqlLeaseStore.CreateTableSql(new PostgreSqlLeaseOptions { Table = name }, null));
        Assert.Contains($"Table ({name})", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PostgreSqlLeaseStore.CreateTableSql(new PostgreSqlLeaseOptions { Schema = name }, null));
    }

    [Fact]
    public void The_documented_script_is_the_printed_one() =>
        Assert.Contains(PostgreSqlLeaseStore.CreateTableSql(null, "shop"), Repository.Read("docs/stores/postgresql.md"), StringComparison.Ordinal);

    private static void Told(Exception e, string what)
    {
        Assert.Contains(what, e.Message, StringComparison.Ordinal);
        Assert.Contains("CreateTableSql", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, e.ToString(), StringComparison.Ordinal);
    }
}
