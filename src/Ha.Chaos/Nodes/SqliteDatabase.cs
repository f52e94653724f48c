using Microsoft.Data.Sqlite;

namespace Ha.Chaos.Nodes;

/// <summary>One file for all nodes.</summary>
internal sealed class SqliteDatabase(string folder) : IDatabase
{
    public string ConnectionString { get; } = $"Data Source={Path.Combine(folder, "notes.db")}";

    public async Task<IAsyncDisposable> BlockWritersAsync(CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection($"{ConnectionString};Pooling=false;Default Timeout=10");
        try
        {
            await connection.OpenAsync(cancellationToken);
            // BEGIN IMMEDIATE takes the write lock. Closing the connection gives it back.
            _ = connection.BeginTransaction(deferred: false);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await using var connection = new SqliteConnection($"{ConnectionString};Pooling=false;Default Timeout=5");
        await connection.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        // Empties the log file: the next write needs new room.
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public Task RepairAsync() => Task.CompletedTask;

    public Task RestartAsync(TimeSpan after, CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
