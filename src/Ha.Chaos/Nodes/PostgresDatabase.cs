using Ha.Chaos.Network;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Chaos.Nodes;

/// <summary>The notes in a PostgreSQL server in a namespace of its own.</summary>
internal sealed class PostgresDatabase : IDatabase
{
    private const int Port = 5432;
    private readonly PostgresProcess _server;

    private PostgresDatabase(PostgresProcess server, string address)
    {
        _server = server;
        ConnectionString = $"Host={address};Username=postgres;Database=postgres;Timeout=5;Command Timeout=5;Maximum Pool Size=20";
    }

    public string ConnectionString { get; }

    /// <param name="folder">Gets data and sockets.</param>
    /// <param name="address">The server's address in its namespace.</param>
    /// <param name="log">Gets what the server says.</param>
    public static async Task<PostgresDatabase> StartAsync(string folder, string address, string log) =>
        new(await PostgresProcess.StartAsync(folder, new Place(Namespaces.NameOf(ChaosCluster.Database), address, Port), log, "max_connections=100"), address);

    public async Task<IAsyncDisposable> BlockWritersAsync(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(_server.Local);
        try
        {
            await connection.OpenAsync(cancellationToken);
            _ = await connection.BeginTransactionAsync(cancellationToken);
            await using var command = new NpgsqlCommand("SELECT epoch FROM fence FOR UPDATE", connection);
            await command.ExecuteScalarAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task RestartAsync(TimeSpan after, CancellationToken cancellationToken)
    {
        // As a crash: without a word to the sessions, and whatever was not in the log on disk is lost.
        await _server.Process.StopAsync(Posix.SigQuit);
        try
        {
            await Task.Delay(after, TimeProvider.System, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The run ends: it is started at once.
        }

        await RepairAsync();
    }

    public Task RepairAsync() => _server.Process.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
