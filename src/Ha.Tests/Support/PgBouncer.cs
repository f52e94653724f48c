using Ha.Chaos.Nodes;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Tests.Support;

/// <summary>pgbouncer of the machine's own package before a server: connections that clients share, each for one transaction.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"ha-pgbouncer-{Guid.NewGuid():N}");
    private readonly int _port = FreePorts.Find(1)[0];
    private ChildProcess? _process;

    public static string? Program { get; } = Array.Find(["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"], File.Exists);

    public static async Task<PgBouncer> StartAsync(PostgresServer server)
    {
        var bouncer = new PgBouncer();
        try
        {
            await bouncer.StartNowAsync(server.Port);
            return bouncer;
        }
        catch
        {
            await bouncer.DisposeAsync();
            throw;
        }
    }

    /// <summary>The same database, through here.</summary>
    public string Through(string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Port = _port }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.StopAsync(TimeSpan.FromSeconds(10), Posix.SigInt);
        }

        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private async Task StartNowAsync(int serverPort)
    {
        await PostgresPrograms.CreateFolderAsync(_directory);
        var settings = Path.Combine(_directory, "pgbouncer.ini");
        await File.WriteAllTextAsync(settings, $"""
            [databases]
            * = host=127.0.0.1 port={serverPort} user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {_port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 5
            server_round_robin = 1
            """);
        _process = new ChildProcess(PostgresPrograms.AsItsUser(Program!, settings)) { WorkingDirectory = "/" };
        _process.Start();
        await Eventually.True(AnswersAsync, TimeSpan.FromSeconds(30), what: "pgbouncer answers");
    }

    private async Task<bool> AnswersAsync()
    {
        Assert.False(_process!.State == ProcessState.Dead, $"pgbouncer did not start:\n{string.Join('\n', _process.Output)}");
        try
        {
            await PostgresServer.RunAsync(Through($"Host=127.0.0.1;Username=postgres;Database=postgres;Timeout=5"), "SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}

/// <summary>A fact about pgbouncer; skipped, in plain words, where it or PostgreSQL is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfPgBouncerAttribute : FactAttribute
{
    public FactIfPgBouncerAttribute() => Skip = FactIfPostgresAttribute.Obstacle ??
        (PgBouncer.Program is null ? "pgbouncer is not installed (Debian: apt-get install pgbouncer)" : null);
}
