using System.Data.Common;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ha.Tests.EfCore;

/// <summary>A database with the shop's tables, and the application's services around it.</summary>
internal sealed class ShopDatabase : IAsyncDisposable
{
    private readonly string? _file;

    private ShopDatabase(string connectionString, string? file) => (ConnectionString, _file) = (connectionString, file);

    public string ConnectionString { get; }

    public bool IsPostgres => _file is null;

    public HaFence Fence => IsPostgres ? HaFence.ForPostgres() : HaFence.ForSqlite();

    public FakeLeadership Leader { get; } = new("me");

    public static async Task<ShopDatabase> EmptyAsync(PostgresServer server, string kind)
    {
        if (kind == "PostgreSQL")
        {
            return new ShopDatabase(await server.NewDatabaseAsync(), file: null);
        }

        var file = Path.Combine(Path.GetTempPath(), $"ha-shop-{Guid.NewGuid():N}.db");
        return new ShopDatabase($"Data Source={file};Default Timeout=10;Pooling=False", file);
    }

    /// <summary>One on PostgreSQL that nobody has made.</summary>
    public static ShopDatabase Missing(PostgresServer server) => new(server.ConnectionString($"shop{Guid.NewGuid():N}"), file: null);

    public static async Task<ShopDatabase> CreateAsync(PostgresServer server, string kind)
    {
        var database = await EmptyAsync(server, kind);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<Shop>().Database.EnsureCreatedAsync();
        return database;
    }

    public ServiceProvider Services(
        Action<EntityFrameworkCore.HaFenceOptions>? fence = null, bool retry = false, bool pool = false, params IInterceptor[] interceptors)
    {
        void Configure(IServiceProvider services, DbContextOptionsBuilder options) =>
            Use(options, retry).UseHaFence(services, fence).AddInterceptors(interceptors);
        var services = new ServiceCollection().AddSingleton<ILeaderProvider>(Leader);
        _ = pool ? services.AddDbContextPool<Shop>(Configure) : services.AddDbContext<Shop>(Configure);
        return services.BuildServiceProvider(validateScopes: true);
    }

    public DbContextOptionsBuilder Use(DbContextOptionsBuilder options, bool retry = false) => IsPostgres
        ? options.UseNpgsql(ConnectionString, npgsql => _ = retry ? npgsql.EnableRetryOnFailure(3, TimeSpan.Zero, null) : npgsql)
        : options.UseSqlite(ConnectionString);

    /// <summary>A context without a fence.</summary>
    public Shop Plain() => new((DbContextOptions<Shop>)Use(new DbContextOptionsBuilder<Shop>()).Options);

    public DbDataSource Source() => IsPostgres ? NpgsqlDataSource.Create(ConnectionString) : SqliteFactory.Instance.CreateDataSource(ConnectionString);

    /// <summary>Another node leads in this epoch.</summary>
    public async Task RaiseAsync(long epoch)
    {
        await using var source = Source();
        await Fence.RaiseAsync(source, epoch, CancellationToken.None);
    }

    /// <summary>Until a session waits for another's lock; SQLite does not show it.</summary>
    public async Task WaitsAsync()
    {
        if (IsPostgres)
        {
            await Eventually.True(async () => await PostgresServer.RunAsync(
                ConnectionString, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") is 1L);
        }
    }

    public async Task<string[]> OrdersAsync()
    {
        await using var db = Plain();
        return await db.Orders.OrderBy(order => order.Id).Select(order => order.Text).ToArrayAsync();
    }

    public async Task<long> EpochAsync()
    {
        await using var source = Source();
        await using var look = source.CreateCommand("SELECT epoch FROM ha_fence");
        return (long)(await look.ExecuteScalarAsync())!;
    }

    public ValueTask DisposeAsync()
    {
        Leader.Dispose();
        if (_file is not null)
        {
            File.Delete(_file);
        }

        return ValueTask.CompletedTask;
    }
}
