using System.Text.Json;
using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Processes;
using Microsoft.EntityFrameworkCore;
using Orders;

namespace Ha.Tests.Orders;

/// <summary>A database for the sample in a folder that goes away with it: a file, or a PostgreSQL server of its own.</summary>
internal sealed class OrdersBed : IAsyncDisposable
{
    private PostgresProcess? _postgres;

    private OrdersBed() => Directory.CreateDirectory(Folder);

    /// <summary>The sample as a program.</summary>
    public static ClusterApp Sample { get; } = Of(App.Assembly(typeof(global::Orders.Program).Assembly.Location));

    /// <summary>Others may enter: the server runs as a user of its own.</summary>
    public string Folder { get; } = Path.Combine(Path.GetTempPath(), $"orders-{Guid.NewGuid():N}");

    /// <summary>What the nodes are told.</summary>
    public string Database { get; private set; } = "";

    /// <summary>The server of a database that has one.</summary>
    public ServerProcess Server => _postgres!.Process;

    public static ClusterApp Of(App app) => new(app, "ConnectionStrings__Orders", "/_ha/healthz");

    public static OrdersBed Sqlite()
    {
        var bed = new OrdersBed();
        bed.Database = $"Data Source={Path.Combine(bed.Folder, "orders.db")}";
        return bed;
    }

    public static async Task<OrdersBed> PostgresAsync(params string[] options)
    {
        var bed = new OrdersBed();
        try
        {
            var port = FreePorts.Find(1)[0];
            bed._postgres = await PostgresProcess.StartAsync(Path.Combine(bed.Folder, "server"), new Place(null, "127.0.0.1", port),
                Path.Combine(bed.Folder, "server.log"), ["max_connections=100", "track_commit_timestamp=on", .. options]);
            bed.Database = $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Timeout=5;Command Timeout=10;Maximum Pool Size=20";
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>The database as the sample sees it.</summary>
    public ShopContext Open() => _postgres is null
        ? new ShopContext(new DbContextOptionsBuilder<ShopContext>().UseSqlite(Database).Options)
        : new PostgresShopContext(new DbContextOptionsBuilder<PostgresShopContext>().UseNpgsql(Database + ";Pooling=false").Options);

    public static Task<NodeAnswer> OrderAsync(ExampleCluster cluster, Door door, string customer, string? key, int product) =>
        cluster.SendAsync(door, "POST", "/orders", JsonSerializer.Serialize(new { customer, lines = new[] { new { product, quantity = 1 } } }), key);

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
        }

        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(Folder, recursive: true);
    }
}
