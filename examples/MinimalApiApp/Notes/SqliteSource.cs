using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace MinimalApiApp.Notes;

/// <summary>Opens connections that wait for another process's lock in SQLite itself, which wakes up after milliseconds.</summary>
internal sealed class SqliteSource(string connectionString) : DbDataSource
{
    public override string ConnectionString => connectionString;

    protected override DbConnection CreateDbConnection() => new SqliteConnection(connectionString);

    protected override DbConnection OpenDbConnection()
    {
        var connection = base.OpenDbConnection();
        try
        {
            using var patience = connection.Command("PRAGMA busy_timeout = 2500");
            patience.ExecuteNonQuery();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    // SQLite has nothing to wait for.
    protected override ValueTask<DbConnection> OpenDbConnectionAsync(CancellationToken cancellationToken = default) => new(OpenDbConnection());
}
