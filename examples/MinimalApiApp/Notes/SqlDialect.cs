using System.Data.Common;
using Ha;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace MinimalApiApp.Notes;

/// <summary>The few words in which the two databases differ.</summary>
internal sealed record SqlDialect
{
    public required string Name { get; init; }
    public required DbDataSource Source { get; init; }

    /// <summary>A copy of it, which may lag behind and takes no writes; null: there is none.</summary>
    public DbDataSource? Replica { get; init; }

    public required HaFence Fence { get; init; }

    /// <summary>
    /// Runs first in each write. Ids are given out before the commit, so of two writers at once the one with the higher id could
    /// commit first, and whoever reads on after that id would never see the other note. One after the other they ascend as
    /// they are committed, and a second request with one key finds the first's answer.
    /// </summary>
    public required string StandInLine { get; init; }

    /// <summary><c>Host=…</c> is PostgreSQL, anything else SQLite.</summary>
    /// <param name="connectionString">Of the database.</param>
    /// <param name="replica">Of this node's hot standby, with PostgreSQL.</param>
    public static SqlDialect Of(string connectionString, string? replica = null)
    {
        var settings = new DbConnectionStringBuilder { ConnectionString = connectionString };
        return settings.ContainsKey("Host") || settings.ContainsKey("Server")
            ? Postgres(connectionString) with { Replica = replica is null ? null : NpgsqlDataSource.Create(replica) }
            : Sqlite(connectionString);
    }

    /// <summary>Runs once, first and outside of any transaction.</summary>
    public required string Prepare { get; init; }

    /// <summary>Runs first in the transaction that creates the tables: several nodes may start at once.</summary>
    public required string LockSchema { get; init; }

    /// <summary>A transaction locks out all others, of other nodes too.</summary>
    public required bool IsOneFile { get; init; }

    public required string AscendingId { get; init; }

    /// <summary>The operator that matches without regard to case.</summary>
    public required string Like { get; init; }

    public required Func<DbException, bool> IsBusy { get; init; }

    private static SqlDialect Sqlite(string connectionString)
    {
        // What the connection string says wins.
        var text = new SqliteConnectionStringBuilder($"Default Timeout=5;{connectionString}").ToString();
        return new SqlDialect
        {
            Name = "SQLite",
            Source = new SqliteSource(text),
            Fence = HaFence.ForSqlite("fence"),
            // A transaction that begins as a writer (BEGIN IMMEDIATE) is the only one.
            StandInLine = "",
            // Readers go on while the one writer commits, in this process and in the other nodes' processes.
            Prepare = "PRAGMA journal_mode = WAL",
            LockSchema = "",
            IsOneFile = true,
            // AUTOINCREMENT: the id of a deleted note is never used again.
            AscendingId = "INTEGER PRIMARY KEY AUTOINCREMENT",
            Like = "LIKE",
            IsBusy = e => e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED },
        };
    }

    private static SqlDialect Postgres(string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        // Nobody waits for longer than this for a process that is paused in a transaction, behind the fence or not.
        settings.Options = $"-c idle_in_transaction_session_timeout=2s -c lock_timeout=5s {settings.Options}".Trim();
        return new SqlDialect
        {
            Name = "PostgreSQL",
            Source = NpgsqlDataSource.Create(settings),
            Fence = HaFence.ForPostgres("fence"),
            // Behind the fence writers of one epoch do not wait for each other.
            StandInLine = "SELECT pg_advisory_xact_lock(7237003)",
            Prepare = "",
            // CREATE TABLE IF NOT EXISTS of two sessions at once can fail; the number only has to be the same everywhere.
            LockSchema = "SELECT pg_advisory_xact_lock(7237001)",
            IsOneFile = false,
            AscendingId = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            Like = "ILIKE",
            IsBusy = e => e is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable },
        };
    }
}
