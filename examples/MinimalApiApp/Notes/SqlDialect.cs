using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace MinimalApiApp.Notes;

/// <summary>The few words in which the two databases differ.</summary>
internal sealed record SqlDialect
{
    public required string Name { get; init; }
    public required Func<DbConnection> NewConnection { get; init; }

    /// <summary>Runs on each opened connection; empty: nothing to do.</summary>
    public required string OnOpen { get; init; }

    /// <summary>Runs once, first and outside of any transaction.</summary>
    public required string Prepare { get; init; }

    /// <summary>Runs first in the transaction that creates the tables: several nodes may start at once.</summary>
    public required string LockSchema { get; init; }

    public required string AscendingId { get; init; }

    /// <summary>The operator that matches without regard to case.</summary>
    public required string Like { get; init; }

    public required Func<DbException, bool> IsBusy { get; init; }

    public static SqlDialect Sqlite(string connectionString)
    {
        // What the connection string says wins.
        var text = new SqliteConnectionStringBuilder($"Default Timeout=5;{connectionString}").ToString();
        return new SqlDialect
        {
            Name = "SQLite",
            NewConnection = () => new SqliteConnection(text),
            // Another process may hold the write lock for a moment: wait in SQLite, which wakes up after milliseconds.
            OnOpen = "PRAGMA busy_timeout = 2500",
            // Readers go on while the one writer commits, in this process and in the other nodes' processes.
            Prepare = "PRAGMA journal_mode = WAL",
            LockSchema = "",
            // AUTOINCREMENT: the id of a deleted note is never used again.
            AscendingId = "INTEGER PRIMARY KEY AUTOINCREMENT",
            Like = "LIKE",
            IsBusy = e => e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED },
        };
    }

    public static SqlDialect Postgres(string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        // A leader that is paused inside a transaction holds the fence row. The server takes it back after 2 s, so
        // its successor can write; the paused one finds its transaction gone.
        settings.Options = $"-c idle_in_transaction_session_timeout=2s -c lock_timeout=5s {settings.Options}".Trim();
        var source = NpgsqlDataSource.Create(settings);
        return new SqlDialect
        {
            Name = "PostgreSQL",
            NewConnection = source.CreateConnection,
            OnOpen = "",
            Prepare = "",
            // CREATE TABLE IF NOT EXISTS of two sessions at once can fail; the number only has to be the same everywhere.
            LockSchema = "SELECT pg_advisory_xact_lock(7237001)",
            // Ids are given out before the commit, but only under the fence row's lock: they ascend in commit order too.
            AscendingId = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            Like = "ILIKE",
            IsBusy = e => e is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable },
        };
    }
}
