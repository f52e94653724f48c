using Ha.Chaos.Network;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Chaos.Nodes;

/// <summary>
/// A PostgreSQL server of the machine's own package in a namespace of its own. Nodes reach it over the network, the
/// harness through a socket in the file system.
/// </summary>
internal sealed class PostgresDatabase : IDatabase
{
    private static readonly TimeSpan _stopPatience = TimeSpan.FromSeconds(30);

    private readonly string _data;
    private readonly string _sockets;
    private readonly string _log;
    private readonly string _address;
    private readonly ChildProcess _server;

    private PostgresDatabase(string folder, string address, string log)
    {
        (_data, _sockets, _address, _log) = (Path.Combine(folder, "data"), Path.Combine(folder, "sockets"), address, log);
        string[] command =
        [
            "ip", "netns", "exec", Namespaces.NameOf(ChaosCluster.Database),
            .. PostgresPrograms.AsItsUser(Path.Combine(PostgresPrograms.Folder!, "postgres"), "-D", _data),
            "-c", $"listen_addresses={_address}", "-c", $"unix_socket_directories={_sockets}", "-c", "max_wal_size=64MB", "-c", "max_connections=100",
            // A writer whose node was cut off keeps its locks until the server notices.
            "-c", "tcp_user_timeout=3000", "-c", "tcp_keepalives_idle=1", "-c", "tcp_keepalives_interval=1", "-c", "tcp_keepalives_count=2",
        ];
        _server = new ChildProcess(command) { WorkingDirectory = "/", OnLine = Log };
        ConnectionString = $"Host={address};Username=postgres;Database=postgres;Timeout=5;Command Timeout=5;Maximum Pool Size=20";
    }

    public string ConnectionString { get; }

    private string Local => $"Host={_sockets};Username=postgres;Database=postgres;Pooling=false;Timeout=5";

    /// <param name="folder">Gets data and sockets.</param>
    /// <param name="address">The server's address in its namespace.</param>
    /// <param name="log">Gets what the server says.</param>
    public static async Task<PostgresDatabase> StartAsync(string folder, string address, string log)
    {
        var database = new PostgresDatabase(folder, address, log);
        try
        {
            await PostgresPrograms.CreateFolderAsync(database._data);
            await PostgresPrograms.CreateFolderAsync(database._sockets);
            await PostgresPrograms.InitializeAsync(database._data);
            await File.AppendAllTextAsync(Path.Combine(database._data, "pg_hba.conf"), "host all all 10.77.0.0/24 trust\n");
            await database.StartServerAsync(CancellationToken.None);
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    public async Task<IAsyncDisposable> BlockWritersAsync(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(Local);
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
        await StopServerAsync();
        try
        {
            await Task.Delay(after, TimeProvider.System, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The run ends: it is started at once.
        }

        await StartServerAsync(CancellationToken.None);
    }

    public async Task RepairAsync()
    {
        if (_server.State == ProcessState.Dead)
        {
            await StartServerAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync() => await StopServerAsync();

    private async Task StartServerAsync(CancellationToken cancellationToken)
    {
        _server.Start();
        while (!await AnswersAsync(cancellationToken))
        {
            if (_server.State == ProcessState.Dead)
            {
                throw new InvalidOperationException($"PostgreSQL ended with {_server.ExitCode}, see {_log}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancellationToken);
        }
    }

    /// <summary>As a crash: without a word to the sessions, and whatever was not in the log on disk is lost.</summary>
    private async Task StopServerAsync()
    {
        // The server's answer to SIGQUIT is to stop its sessions at once and to recover at the next start.
        await _server.StopAsync(_stopPatience, Posix.SigQuit);
    }

    private async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(Local);
            await connection.OpenAsync(cancellationToken);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private void Log(string line)
    {
        lock (_log)
        {
            File.AppendAllText(_log, line + "\n");
        }
    }
}
