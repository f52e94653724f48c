using Ha.Chaos.Network;
using Ha.Chaos.Nodes;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Tests.Support;

/// <summary>
/// A real PostgreSQL server of the machine's own package, on loopback, in a directory that goes away with it. Where none
/// is installed it stays off and the tests that need it are skipped (<see cref="FactIfPostgresAttribute"/>).
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"ha-postgres-{Guid.NewGuid():N}");
    private int _databases;
    private ChildProcess? _server;

    public async Task InitializeAsync()
    {
        if (PostgresPrograms.Folder is not { } programs)
        {
            return;
        }

        await PostgresPrograms.CreateFolderAsync(_directory);
        await PostgresPrograms.InitializeAsync(_directory);
        await StartAsync(programs);
    }

    /// <summary>The port on 127.0.0.1, the same after a restart.</summary>
    public int Port { get; private set; }

    /// <summary>Called with each line of the server's log, on a pool thread. A line begins with <c>[application database]</c>.</summary>
    public Action<string>? Logged { get; set; }

    /// <summary>Ends it, and all sessions with it, without a word to anybody.</summary>
    public async Task StopAsync() => await _server!.StopAsync(TimeSpan.FromSeconds(20), Posix.SigQuit);

    /// <summary>Starts it again, with what it had.</summary>
    public async Task StartAgainAsync()
    {
        _server!.Start();
        await Eventually.True(AnswersAsync, TimeSpan.FromSeconds(60), what: "PostgreSQL answers again");
    }

    /// <summary>Another server that follows this one and takes no writes itself.</summary>
    public async Task<PostgresServer> NewReplicaAsync()
    {
        var replica = new PostgresServer();
        await PostgresPrograms.CreateFolderAsync(replica._directory);
        await Tool.RunAsync(PostgresPrograms.AsItsUser(Path.Combine(PostgresPrograms.Folder!, "pg_basebackup"), "--pgdata", replica._directory,
            "--host=127.0.0.1", $"--port={Port}", "--username=postgres", "--checkpoint=fast", "--no-sync", "--write-recovery-conf"));
        await Tool.RunAsync("chmod", "0700", replica._directory);
        await replica.StartAsync(PostgresPrograms.Folder!);
        return replica;
    }

    /// <summary>Runs a statement in a database, as the superuser.</summary>
    public static async Task<object?> RunAsync(string connectionString, string statement)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(statement, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>A connection string of a new, empty database.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"notes{Interlocked.Increment(ref _databases)}";
        await RunAsync(ConnectionString("postgres"), $"CREATE DATABASE {name}");
        return ConnectionString(name);
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            // Ends its sessions too.
            await _server.StopAsync(TimeSpan.FromSeconds(10), Posix.SigInt);
        }

        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private async Task StartAsync(string programs)
    {
        Port = FreePorts.Find(1)[0];
        var server = new ChildProcess(PostgresPrograms.AsItsUser(Path.Combine(programs, "postgres"), "-D", _directory, "-p", $"{Port}",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=400",
            "-c", "log_line_prefix=[%a %d] "))
        {
            WorkingDirectory = "/",
            OnLine = line => Logged?.Invoke(line),
        };
        server.Start();
        _server = server;
        await Eventually.True(AnswersAsync, TimeSpan.FromSeconds(60), what: "PostgreSQL answers");
    }

    /// <summary>As the superuser, without a password.</summary>
    public string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={Port};Username=postgres;Database={database};Timeout=30;Maximum Pool Size=20";

    private async Task<bool> AnswersAsync()
    {
        Assert.False(_server!.State == ProcessState.Dead, $"PostgreSQL did not start:\n{string.Join('\n', _server.Output)}");
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}

/// <summary>A fact about PostgreSQL; skipped, in plain words, where no server is installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfPostgresAttribute : FactAttribute
{
    public FactIfPostgresAttribute() => Skip = Obstacle;

    internal static string? Obstacle =>
        PostgresPrograms.Folder is null ? "PostgreSQL is not installed (Debian: apt-get install postgresql)" : null;
}

/// <summary>As <see cref="FactIfPostgresAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryIfPostgresAttribute : TheoryAttribute
{
    public TheoryIfPostgresAttribute() => Skip = FactIfPostgresAttribute.Obstacle;
}

/// <summary>Each fact runs once for each database that this machine can offer.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class EachDatabaseAttribute : Xunit.Sdk.DataAttribute
{
    public override IEnumerable<object[]> GetData(System.Reflection.MethodInfo testMethod) =>
        PostgresPrograms.Folder is null ? [["SQLite"]] : [["SQLite"], ["PostgreSQL"]];
}

[CollectionDefinition(Name)]
public sealed class DatabaseTests : ICollectionFixture<PostgresServer>
{
    public const string Name = "databases";
}
