using System.Net;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Chaos.Nodes;

/// <summary>A lease in PostgreSQL, behind pgbouncer in transaction mode where that is asked for.</summary>
internal sealed class PostgresStore : IStoreServer
{
    // Three nodes hold up to four each, and some are kept for the superuser that the harness is.
    private const string Limits = "max_connections=24";
    private const int PoolSize = 5;
    private const string Role = "lease";
    private const string Occupant = "occupant";

    private readonly PostgresProcess _server;
    private readonly Place _place;
    private ServerProcess? _pool;

    private PostgresStore(PostgresProcess server, Place place) => (_server, _place) = (server, place);

    public IReadOnlyList<ServerProcess> Processes => _pool is null ? [_server.Process] : [_server.Process, _pool];

    /// <param name="folder">Gets data and sockets.</param>
    /// <param name="place">Where nodes reach it.</param>
    /// <param name="log">Gets what the servers say.</param>
    /// <param name="pooled">Nodes reach pgbouncer there.</param>
    public static async Task<PostgresStore> StartAsync(string folder, Place place, string log, bool pooled)
    {
        // Behind a pool nobody else needs to reach it: the port only names its socket.
        var server = await PostgresProcess.StartAsync(folder, pooled ? place with { Port = place.Port + 1 } : place, log, Limits);
        var store = new PostgresStore(server, place);
        try
        {
            await server.RunAsync($"CREATE ROLE {Role} LOGIN; GRANT CREATE ON SCHEMA public TO {Role}");
            if (pooled)
            {
                store._pool = await store.StartPoolAsync(Path.Combine(folder, "pgbouncer.ini"), log);
            }

            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public string LeaseStore(string address, int port) => $"postgres:Host={address};Port={port};Username={Role};Database=postgres";

    public async Task UseRoomAsync()
    {
        try
        {
            // Each switch begins a new file of the log, once those that were kept ready are used up.
            for (var i = 0; i < 8; i++)
            {
                await _server.RunAsync("SELECT pg_logical_emit_message(true, 'chaos', 'room'); SELECT pg_switch_wal()");
            }
        }
        catch (NpgsqlException)
        {
            // There is none: the server has ended its sessions, and maybe itself.
        }
    }

    public async Task<int> TerminateAsync(Func<IPEndPoint, bool> whose)
    {
        await using var connection = new NpgsqlConnection(_server.Local);
        await connection.OpenAsync();
        var pids = new List<int>();
        const string List = $"SELECT pid, host(client_addr), client_port FROM pg_stat_activity WHERE usename = '{Role}' AND application_name <> '{Occupant}'";
        await using (var list = new NpgsqlCommand(List, connection))
        await using (var rows = await list.ExecuteReaderAsync())
        {
            while (await rows.ReadAsync())
            {
                // The pool comes by the socket, without an address.
                if (rows.IsDBNull(1) || whose(new IPEndPoint(IPAddress.Parse(rows.GetString(1)), rows.GetInt32(2))))
                {
                    pids.Add(rows.GetInt32(0));
                }
            }
        }

        await using var end = new NpgsqlCommand("SELECT pg_terminate_backend(pid) FROM unnest($1) AS pid", connection);
        end.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = [.. pids] });
        await end.ExecuteNonQueryAsync();
        return pids.Count;
    }

    public Occupation Occupy() => new(async cancellationToken =>
    {
        var connection = new NpgsqlConnection(
            $"Host={_server.Sockets};Port={_place.Port};Username={Role};Database=postgres;Pooling=false;Timeout=2;Command Timeout=2;Application Name={Occupant}");
        try
        {
            await connection.OpenAsync(cancellationToken);
            if (_pool is not null)
            {
                // A transaction keeps one of the pool's few connections to the server.
                await using var begin = new NpgsqlCommand("BEGIN", connection);
                await begin.ExecuteNonQueryAsync(cancellationToken);
            }

            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    });

    public async ValueTask DisposeAsync()
    {
        if (_pool is not null)
        {
            await _pool.DisposeAsync();
        }

        await _server.DisposeAsync();
    }

    private async Task<ServerProcess> StartPoolAsync(string settings, string log)
    {
        await File.WriteAllTextAsync(settings, $"""
            [databases]
            * = host={_server.Sockets} port={_place.Port + 1} user={Role}
            [pgbouncer]
            listen_addr = {_place.Address}
            listen_port = {_place.Port}
            unix_socket_dir = {_server.Sockets}
            auth_type = any
            pool_mode = transaction
            default_pool_size = {PoolSize}
            server_round_robin = 1
            server_login_retry = 0.1

            """);
        var program = Array.Find(["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"], File.Exists)!;
        var pool = new ServerProcess("pgbouncer", _place.Run(PostgresPrograms.AsItsUser(program, settings)), PoolAnswersAsync, log)
        {
            Ends = [(Posix.SigTerm, "immediate"), (Posix.SigInt, "fast")],
        };
        try
        {
            await pool.StartAsync();
            return pool;
        }
        catch
        {
            await pool.DisposeAsync();
            throw;
        }
    }

    /// <summary>Whether it listens: what it answers depends on the server behind it, which may be away at the same time.</summary>
    private Task<bool> PoolAnswersAsync(CancellationToken cancellationToken) =>
        LocalSocket.AnswersAsync(Path.Combine(_server.Sockets, $".s.PGSQL.{_place.Port}"), cancellationToken);
}
