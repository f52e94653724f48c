using Ha.Chaos.Network;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Chaos.Nodes;

/// <summary>
/// A PostgreSQL server of the machine's own package. Nodes reach it over the network, the harness through a socket in the
/// file system.
/// </summary>
internal sealed class PostgresProcess : IAsyncDisposable
{
    private readonly string _data;
    private readonly int _port;

    private PostgresProcess(string folder, Place place, string log, string[] options)
    {
        (_data, Sockets, _port) = (Path.Combine(folder, "data"), Path.Combine(folder, "sockets"), place.Port);
        Local = $"Host={Sockets};Port={place.Port};Username=postgres;Database=postgres;Pooling=false;Timeout=5";
        string[] command =
        [
            .. PostgresPrograms.AsItsUser(Path.Combine(PostgresPrograms.Folder!, "postgres"), "-D", _data, "-p", $"{place.Port}"),
            "-c", $"listen_addresses={place.Address}", "-c", $"unix_socket_directories={Sockets}", "-c", "max_wal_size=64MB",
            // A writer whose node was cut off keeps its locks until the server notices.
            "-c", "tcp_user_timeout=3000", "-c", "tcp_keepalives_idle=1", "-c", "tcp_keepalives_interval=1", "-c", "tcp_keepalives_count=2",
            .. options.SelectMany(o => (string[])["-c", o]),
        ];
        Process = new ServerProcess("PostgreSQL", place.Run(command), AnswersAsync, log) { Ends = [(Posix.SigInt, "fast"), (Posix.SigQuit, "immediate")] };
    }

    public ServerProcess Process { get; }

    /// <summary>The folder of its socket.</summary>
    public string Sockets { get; }

    /// <summary>As the harness reaches it, as the superuser.</summary>
    public string Local { get; }

    /// <param name="folder">Gets data and sockets.</param>
    /// <param name="place">Where it listens.</param>
    /// <param name="log">Gets what the server says.</param>
    /// <param name="options">More settings of the server.</param>
    public static async Task<PostgresProcess> StartAsync(string folder, Place place, string log, params string[] options)
    {
        var server = new PostgresProcess(folder, place, log, options);
        try
        {
            await PostgresPrograms.CreateFolderAsync(server._data);
            await PostgresPrograms.CreateFolderAsync(server.Sockets);
            await PostgresPrograms.InitializeAsync(server._data);
            await File.AppendAllTextAsync(Path.Combine(server._data, "pg_hba.conf"), "host all all 10.77.0.0/24 trust\n");
            await server.Process.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A hot standby of a server that runs.</summary>
    /// <param name="primary">The server.</param>
    /// <param name="folder">Gets data and sockets.</param>
    /// <param name="place">Where it listens.</param>
    /// <param name="log">Gets what the server says.</param>
    /// <param name="options">More settings of the server.</param>
    public static async Task<PostgresProcess> FollowAsync(
        PostgresProcess primary, string folder, Place place, string log, params string[] options)
    {
        var server = new PostgresProcess(folder, place, log, options);
        try
        {
            await PostgresPrograms.CreateFolderAsync(server._data);
            await PostgresPrograms.CreateFolderAsync(server.Sockets);
            await Tool.RunAsync(PostgresPrograms.AsItsUser(
                Path.Combine(PostgresPrograms.Folder!, "pg_basebackup"), "--pgdata", server._data, $"--host={primary.Sockets}",
                $"--port={primary._port}", "--username=postgres", "--checkpoint=fast", "--no-sync", "--write-recovery-conf"));
            await Tool.RunAsync("chmod", "0700", server._data);
            await server.Process.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a statement, as the superuser.</summary>
    public async Task RunAsync(string statement)
    {
        await using var connection = new NpgsqlConnection(Local);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(statement, connection);
        await command.ExecuteNonQueryAsync();
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();

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
}
