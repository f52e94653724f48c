using Microsoft.Data.Sqlite;

namespace Ha.Chaos.Nodes;

/// <summary>One file for all nodes.</summary>
internal sealed class SqliteDatabase(string folder) : IDatabase
{
    public string ConnectionString { get; } = $"Data Source={Path.Combine(folder, "notes.db")}";

    public async Task<IAsyncDisposable> BlockWritersAsync(CancellationToken cancellationToken)
    {
        SQLitePCL.Batteries_V2.Init();
        var connection = new SqliteConnection($"{ConnectionString};Pooling=false;Default Timeout=30");
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

    public Task RestartAsync(TimeSpan after, CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
