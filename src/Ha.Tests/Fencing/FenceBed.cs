using System.Data.Common;
using System.Globalization;
using Ha.Tests.Support;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Ha.Tests.Fencing;

/// <summary>A database with a fence and a table <c>rows</c>, for one test.</summary>
internal sealed class FenceBed : IAsyncDisposable
{
    private readonly DirectoryInfo? _directory;

    private FenceBed(HaFence fence, DbDataSource source, DirectoryInfo? directory = null) => (Fence, Source, _directory) = (fence, source, directory);

    public HaFence Fence { get; }

    public DbDataSource Source { get; }

    /// <param name="kind">As <see cref="EachFenceAttribute"/> says it.</param>
    /// <param name="server">For PostgreSQL.</param>
    public static async Task<FenceBed> NewAsync(string kind, PostgresServer server)
    {
        if (kind is "PostgreSQL")
        {
            return await PostgresAsync(server);
        }

        var directory = Directory.CreateTempSubdirectory("fence-test-");
        var source = SqliteFactory.Instance.CreateDataSource($"Data Source={Path.Combine(directory.FullName, "fence.db")}");
        await HaFence.ForSqlite().CreateAsync(source);
        return await WithRowsAsync(new FenceBed(kind is "SQLite" ? HaFence.ForSqlite() : HaFence.ForStandardSql(HaFence.DefaultTable), source, directory));
    }

    /// <param name="server">Where.</param>
    /// <param name="fence">Null: as it comes.</param>
    /// <param name="settings">More of a connection string.</param>
    /// <param name="port">Not the server's own, but one that leads there.</param>
    public static async Task<FenceBed> PostgresAsync(PostgresServer server, HaFence? fence = null, string settings = "", int? port = null)
    {
        var bed = new FenceBed(fence ?? HaFence.ForPostgres(), NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder($"{await server.NewDatabaseAsync()};{settings}") { Port = port ?? server.Port }));
        await bed.Fence.CreateAsync(bed.Source);
        return await WithRowsAsync(bed);
    }

    public ValueTask<long> RaiseAsync(long epoch) => Fence.RaiseAsync(Source, epoch, CancellationToken.None);

    /// <summary>Adds a row behind the fence.</summary>
    public Task<int> AddAsync(IHaFeature leadership) => Fence.WriteAsync(Source, leadership, InsertAsync);

    public static Task<int> InsertAsync(DbTransaction transaction) => ExecuteAsync(transaction.Connection!, transaction, "INSERT INTO rows VALUES (1)");

    public Task<long> RowsAsync() => NumberAsync("SELECT count(*) FROM rows");

    public Task<long> StoredAsync() => NumberAsync("SELECT epoch FROM ha_fence");

    public async Task<long> NumberAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }

    public async Task RunAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public static async Task<int> ExecuteAsync(DbConnection connection, DbTransaction? transaction, string sql)
    {
        await using var command = connection.CreateCommand();
        (command.CommandText, command.Transaction) = (sql, transaction);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>PostgreSQL: until so many sessions wait for a lock.</summary>
    public Task SomebodyWaitsAsync(int sessions = 1) => Eventually.True(async () =>
        await NumberAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == sessions);

    /// <summary>PostgreSQL: until the server has ended the session.</summary>
    public Task EndedByServerAsync(DbConnection connection)
    {
        var session = ((NpgsqlConnection)connection).ProcessID;
        return Eventually.True(async () => await NumberAsync($"SELECT count(*) FROM pg_stat_activity WHERE pid = {session}") == 0);
    }

    /// <summary>PostgreSQL: the server ends the session.</summary>
    public async Task KillAsync(DbConnection connection)
    {
        await NumberAsync($"SELECT pg_terminate_backend({((NpgsqlConnection)connection).ProcessID})::int");
        await EndedByServerAsync(connection);
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        if (_directory is not null)
        {
            SqliteConnection.ClearAllPools();
            _directory.Delete(recursive: true);
        }
    }

    private static async Task<FenceBed> WithRowsAsync(FenceBed bed)
    {
        await bed.RunAsync("CREATE TABLE rows (n INTEGER NOT NULL)");
        return bed;
    }
}

/// <summary>Each fact runs once for each kind of fence that this machine can try.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EachFenceAttribute : Xunit.Sdk.DataAttribute
{
    public override IEnumerable<object[]> GetData(System.Reflection.MethodInfo testMethod) =>
        [.. new EachDatabaseAttribute().GetData(testMethod), ["standard SQL"]];
}
