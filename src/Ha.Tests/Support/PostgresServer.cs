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
    private int _port;
    private ChildProcess? _server;

    public async Task InitializeAsync()
    {
        if (PostgresPrograms.Folder is not { } programs)
        {
            return;
        }

        await PostgresPrograms.CreateFolderAsync(_directory);
        await PostgresPrograms.InitializeAsync(_directory);
        _port = FreePorts.Find(1)[0];
        var server = new ChildProcess(PostgresPrograms.AsItsUser(Path.Combine(programs, "postgres"), "-D", _directory, "-p", $"{_port}",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"))
        {
            WorkingDirectory = "/",
        };
        server.Start();
        _server = server;
        await Eventually.True(AnswersAsync, TimeSpan.FromSeconds(60), what: "PostgreSQL answers");
    }

    /// <summary>A connection string of a new, empty database.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"notes{Interlocked.Increment(ref _databases)}";
        await using var connection = new NpgsqlConnection(ConnectionString("postgres"));
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"CREATE DATABASE {name}";
        await command.ExecuteNonQueryAsync();
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

    private string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database};Timeout=30;Maximum Pool Size=20";

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
