using System.Globalization;
using Ha.PostgreSql;
using Ha.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>A server of its own for tests that stop it, pause it and fill it up.</summary>
[CollectionDefinition(Name)]
public sealed class LeaseServerTests : ICollectionFixture<PostgresServer>
{
    public const string Name = "leases in PostgreSQL";
}

/// <summary>An empty database and as many stores on it as a test asks for, which all end with it.</summary>
internal sealed class LeaseRoom : IAsyncDisposable
{
    public static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(1500);

    private readonly List<PostgreSqlLeaseStore> _stores = [];

    private LeaseRoom(string connectionString) => ConnectionString = connectionString;

    public string ConnectionString { get; }

    public static async Task<LeaseRoom> OpenAsync(PostgresServer server) => new(await server.NewDatabaseAsync());

    public static LeaseMember Member(string id) => new()
    {
        NodeId = id,
        Incarnation = Guid.NewGuid().ToString("N"),
        Url = $"http://{id}",
        Target = $"http://{id}.internal",
        Eligible = true,
    };

    public static LeaseRecord Record(LeaseMember holder, long epoch) => new()
    {
        HolderId = holder.NodeId,
        Incarnation = holder.Incarnation,
        Epoch = epoch,
        Duration = Lease,
        Url = holder.Url,
        Target = holder.Target,
    };

    /// <summary>A token for a call that is expected to end soon.</summary>
    public static CancellationToken Soon(int milliseconds = 20_000) => new CancellationTokenSource(milliseconds).Token;

    public PostgreSqlLeaseStore Store(
        string? through = null, string cluster = "c", PostgreSqlLeaseOptions? options = null, ILogger? logger = null, TimeSpan? lease = null)
    {
        var store = new PostgreSqlLeaseStore(through ?? ConnectionString, cluster, lease ?? Lease, options, logger);
        _stores.Add(store);
        return store;
    }

    public Task<object?> RunAsync(string statement) => PostgresServer.RunAsync(ConnectionString, statement);

    /// <summary>The server's processes that serve the stores of this room.</summary>
    public async Task<int[]> BackendsAsync()
    {
        var pids = await RunAsync(
            "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name = 'ha-lease' AND datname = current_database()");
        return pids is string text ? [.. text.Split(' ').Select(pid => int.Parse(pid, CultureInfo.InvariantCulture))] : [];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }
    }
}
