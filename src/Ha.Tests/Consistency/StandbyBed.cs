using Ha.Chaos.Nodes;
using Ha.Cli.Processes;
using Npgsql;

namespace Ha.Tests.Consistency;

/// <summary>A PostgreSQL server and its hot standby, which applies everything late, in a folder that goes away with them.</summary>
internal sealed class StandbyBed : IAsyncDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"ha-standby-{Guid.NewGuid():N}");
    private PostgresProcess? _primary;
    private PostgresProcess? _standby;

    private StandbyBed() => Directory.CreateDirectory(_folder);

    /// <summary>What the nodes write to.</summary>
    public string Primary { get; private set; } = "";

    /// <summary>What some of them read from.</summary>
    public string Standby { get; private set; } = "";

    public static async Task<StandbyBed> StartAsync(TimeSpan lag)
    {
        var bed = new StandbyBed();
        try
        {
            var ports = FreePorts.Find(2);
            bed._primary = await PostgresProcess.StartAsync(
                Path.Combine(bed._folder, "primary"), Place(ports[0]), Path.Combine(bed._folder, "primary.log"),
                "max_connections=200", "fsync=off");
            await bed._primary.RunAsync("CREATE TABLE ticks (id int)");
            bed._standby = await PostgresProcess.FollowAsync(
                bed._primary, Path.Combine(bed._folder, "standby"), Place(ports[1]), Path.Combine(bed._folder, "standby.log"),
                "max_connections=200", "fsync=off", $"recovery_min_apply_delay={(long)lag.TotalMilliseconds}ms");
            (bed.Primary, bed.Standby) = (Settings(ports[0]), Settings(ports[1]));
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>From the end of a commit until anybody can read it from the standby, again and again.</summary>
    public async Task<IReadOnlyList<TimeSpan>> LagsAsync(CancellationToken stop)
    {
        await using var primary = NpgsqlDataSource.Create(Primary);
        await using var standby = NpgsqlDataSource.Create(Standby);
        var lags = new List<TimeSpan>();
        for (var id = 0; !stop.IsCancellationRequested; id++)
        {
            await using var write = primary.CreateCommand($"INSERT INTO ticks VALUES ({id})");
            await write.ExecuteNonQueryAsync(CancellationToken.None);
            var from = TimeProvider.System.GetTimestamp();
            await using var read = standby.CreateCommand($"SELECT 1 FROM ticks WHERE id = {id}");
            while (await read.ExecuteScalarAsync(CancellationToken.None) is null)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None);
            }

            lags.Add(TimeProvider.System.GetElapsedTime(from));
        }

        return lags;
    }

    /// <summary>From now on the standby applies nothing.</summary>
    public Task PauseAsync() => _standby!.RunAsync("SELECT pg_wal_replay_pause()");

    /// <summary>SIGKILL; and the other way round, waits until it answers.</summary>
    public Task KillStandbyAsync() => _standby!.Process.KillAsync();

    public Task StartStandbyAsync() => _standby!.Process.StartAsync();

    public Task KillPrimaryAsync() => _primary!.Process.KillAsync();

    public Task StartPrimaryAsync() => _primary!.Process.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var server in (PostgresProcess?[])[_standby, _primary])
        {
            if (server is not null)
            {
                await server.DisposeAsync();
            }
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static Place Place(int port) => new(null, "127.0.0.1", port);

    private static string Settings(int port) =>
        $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Timeout=10;Command Timeout=10;Maximum Pool Size=50";
}
