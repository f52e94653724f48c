using Ha.EntityFrameworkCore;
using Ha.Testing;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.EfCore;

/// <summary>Several nodes start at once, and nobody leads yet.</summary>
[Collection(DatabaseTests.Name)]
public sealed class MigrationAtStartTests(PostgresServer server)
{
    [Theory]
    [InlineData("SQLite", "peers")]
    [InlineData("SQLite", "store")]
    [InlineData("SQLite", "off")]
    public Task Each_migration_runs_once_for_all_nodes(string kind, string mode) => RunsOnceAsync(kind, mode);

    [TheoryIfPostgres]
    [InlineData("peers")]
    [InlineData("store")]
    [InlineData("off")]
    public Task Each_migration_runs_once_for_all_nodes_on_PostgreSQL(string mode) => RunsOnceAsync("PostgreSQL", mode);

    [FactIfPostgres]
    public async Task A_database_that_is_not_there_yet_is_made_by_one_of_them()
    {
        await using var database = ShopDatabase.Missing(server);
        await RunsOnceAsync(database, "peers");
    }

    /// <summary>As in a rolling update: the leader runs the old release.</summary>
    [Theory, EachDatabase]
    public async Task A_leader_of_before_is_not_asked(string kind)
    {
        await using var database = await ShopDatabase.EmptyAsync(server, kind);
        await using (var old = Node(database, "off", 0, new InMemoryLeaseStore()))
        {
            await old.StartAsync();
            await old.StopAsync();
        }

        await database.RaiseAsync(9);
        await using var node = Node(database, "peers", 1, new InMemoryLeaseStore());
        await node.StartAsync();
        await node.StopAsync();

        Assert.Equal(["seed 0", "seed 1"], await database.OrdersAsync());
        Assert.Equal(9, await database.EpochAsync());
    }

    [Theory, EachDatabase]
    public async Task A_migration_that_fails_stops_the_start(string kind)
    {
        await using var database = await ShopDatabase.EmptyAsync(server, kind);
        await using (var source = database.Source())
        {
            await using var spoil = source.CreateCommand("""CREATE TABLE "Orders" ("Id" INTEGER)""");
            await spoil.ExecuteNonQueryAsync();
        }

        var listens = new Listens();
        await using var node = Node(database, "peers", 0, new InMemoryLeaseStore(), listens);
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => node.StartAsync());

        Assert.StartsWith("The migrations of MigratedShop failed, so this node does not start: ", failure.Message, StringComparison.Ordinal);
        Assert.False(listens.Started);

        // The failed start has left no lock behind.
        await using var next = Node(database, "peers", 1, new InMemoryLeaseStore());
        await Assert.ThrowsAsync<InvalidOperationException>(() => next.StartAsync());
    }

    private async Task RunsOnceAsync(string kind, string mode)
    {
        await using var database = await ShopDatabase.EmptyAsync(server, kind);
        await RunsOnceAsync(database, mode);
    }

    private static async Task RunsOnceAsync(ShopDatabase database, string mode)
    {
        await using var store = new InMemoryLeaseStore();
        var nodes = Enumerable.Range(0, 4).Select(i => Node(database, mode, i, store)).ToArray();
        try
        {
            await Task.WhenAll(nodes.Select(node => Task.Run(() => node.StartAsync())));
            Assert.Equal(["first", "second", "third"], await RunsAsync(database));
            Assert.Equal(4, (await database.OrdersAsync()).Length);
        }
        finally
        {
            foreach (var node in nodes)
            {
                await node.StopAsync();
                await node.DisposeAsync();
            }
        }
    }

    private static async Task<string[]> RunsAsync(ShopDatabase database)
    {
        await using var db = database.Plain();
        return await db.Database.SqlQuery<string>($"""SELECT "Name" AS "Value" FROM "Runs" """).ToArrayAsync();
    }

    private static WebApplication Node(ShopDatabase database, string mode, int number, InMemoryLeaseStore store, Listens? listens = null)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddHostedService(_ => listens ?? new Listens());
        builder.Services.AddDbContext<MigratedShop>((services, options) => database.Use(options, retry: number % 2 == 1)
            .UseHaFence(services, fence => fence.OutsideLeadership = OutsideLeadership.Refuse)
            .ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.PendingModelChangesWarning))
            .UseAsyncSeeding(async (db, _, cancellationToken) =>
            {
                db.Add(new Order { Text = $"seed {number}" });
                await db.SaveChangesAsync(cancellationToken);
            }));
        builder.Services.AddHaMigrations<MigratedShop>();
        builder.Services.AddHa(o =>
        {
            o.FenceWith<MigratedShop>();
            o.LeaseStores["memory"] = _ => store.Connect();
            o.NodeId = $"node{number}";
            o.Insecure = true;
            if (mode != "off")
            {
                o.LocalTarget = $"http://127.0.0.1:{number + 1}";
            }

            if (mode == "store")
            {
                o.LeaseStore = "memory:";
            }

            if (mode == "peers")
            {
                foreach (var peer in Enumerable.Range(1, 4))
                {
                    o.Peers.Add($"http://127.0.0.1:{peer}");
                }
            }
        });
        return builder.Build();
    }

    /// <summary>Another service of the application, which the server's start comes after.</summary>
    private sealed class Listens : IHostedService
    {
        public bool Started { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken)
        {
            Started = true;
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
