using Ha.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.EfCore;

/// <summary>What the fence costs on PostgreSQL, counted on the wire.</summary>
[Collection(DatabaseTests.Name)]
public sealed class RoundTripTests(PostgresServer server)
{
    private static readonly (string Name, Func<Shop, Task> Write)[] _writes =
    [
        ("one row", db => AddAsync(db, 1)),
        ("two rows", db => AddAsync(db, 2)),
        ("ExecuteUpdate", db => db.Orders.Where(order => order.Id == 0).ExecuteUpdateAsync(set => set.SetProperty(order => order.Text, "new"))),
        ("SQL", db => db.Database.ExecuteSqlAsync($"""DELETE FROM "Orders" WHERE "Id" = 0""")),
        ("a transaction of two saves", async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await AddAsync(db, 1);
            await AddAsync(db, 1);
            await transaction.CommitAsync();
        }),
        ("SQL in a transaction", async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await db.Database.ExecuteSqlAsync($"""DELETE FROM "Orders" WHERE "Id" = 0""");
            await transaction.CommitAsync();
        }),
        ("two of them", async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await db.Database.ExecuteSqlAsync($"""DELETE FROM "Orders" WHERE "Id" = 0""");
            await db.Database.ExecuteSqlAsync($"""DELETE FROM "Orders" WHERE "Id" = 0""");
            await transaction.CommitAsync();
        }),
        ("a transaction that only reads", async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            await db.Orders.FirstOrDefaultAsync();
            await transaction.CommitAsync();
        }),
    ];

    [FactIfPostgres]
    public async Task The_check_travels_with_the_write()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var wire = new RoundTrips(server.Port);
        var plain = await CountAsync(database, wire, fenced: false, epoch: 0);
        var fenced = await CountAsync(database, wire, fenced: true, epoch: 3);

        Assert.Equal(
            ["one row: 1 -> 1", "two rows: 2 -> 2", "ExecuteUpdate: 1 -> 1", "SQL: 1 -> 3", "a transaction of two saves: 7 -> 7",
                "SQL in a transaction: 2 -> 3", "two of them: 3 -> 4", "a transaction that only reads: 2 -> 4"],
            _writes.Select((write, i) => $"{write.Name}: {plain[i]} -> {fenced[i]}"));
    }

    /// <summary>
    /// Cuts the connection after each byte of what the server answers. With <c>EnableRetryOnFailure</c>: whatever was told, no row is
    /// there twice, and none is missing that was confirmed.
    /// </summary>
    [TheoryIfPostgres]
    [InlineData(1)]
    [InlineData(2)]
    [Trait("Category", "Long")]
    public async Task An_answer_that_breaks_off_is_unknown_or_repeated_but_never_both(int rows)
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var wire = new RoundTrips(server.Port);
        var services = new ServiceCollection().AddSingleton<ILeaderProvider>(database.Leader);
        services.AddDbContext<Shop>((s, options) => options
            .UseNpgsql(Through(database, wire), npgsql => npgsql.EnableRetryOnFailure(3, TimeSpan.Zero, null)).UseHaFence(s));
        await using var provider = services.BuildServiceProvider();
        using var leads = LeaderScope.Enter(new Term(3));
        var unknown = 0;
        for (var bytes = 0; ; bytes++)
        {
            // On an open connection, under a known epoch.
            await SaveAsync(provider, $"before {bytes}", rows);
            wire.CutAfter(bytes);
            var confirmed = true;
            try
            {
                await SaveAsync(provider, $"{bytes}", rows);
            }
            catch (OutcomeUnknownException)
            {
                unknown++;
                confirmed = false;
            }

            await using var db = database.Plain();
            var stored = await db.Orders.CountAsync(order => order.Text == $"{bytes}");
            Assert.True(stored == rows || (stored == 0 && !confirmed), $"cut after {bytes} bytes: {stored} rows, confirmed: {confirmed}");
            if (!wire.WasCut)
            {
                break;
            }
        }

        Assert.NotEqual(0, unknown);
    }

    private static async Task SaveAsync(IServiceProvider services, string text, int rows)
    {
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.AddRange(Enumerable.Range(0, rows).Select(_ => new Order { Text = text }));
        await db.SaveChangesAsync();
    }

    private static string Through(ShopDatabase database, RoundTrips wire) =>
        database.ConnectionString.Replace($"Port={wire.Server}", $"Port={wire.Port}", StringComparison.Ordinal);

    private static async Task<int[]> CountAsync(ShopDatabase database, RoundTrips wire, bool fenced, long epoch)
    {
        var through = Through(database, wire);
        var services = new ServiceCollection().AddSingleton<ILeaderProvider>(database.Leader);
        services.AddDbContext<Shop>((s, options) =>
        {
            options.UseNpgsql(through);
            if (fenced)
            {
                options.UseHaFence(s);
            }
        });
        await using var provider = services.BuildServiceProvider();
        using var leads = LeaderScope.Enter(new Term(epoch));
        var counts = new List<int>();
        for (var round = 0; round < 2; round++)
        {
            // The first round opens the connection and meets the epoch.
            counts.Clear();
            foreach (var (_, write) in _writes)
            {
                await using var scope = provider.CreateAsyncScope();
                var db = scope.ServiceProvider.GetRequiredService<Shop>();
                var before = wire.Count;
                await write(db);
                counts.Add(wire.Count - before);
            }
        }

        return [.. counts];
    }

    private static Task<int> AddAsync(Shop db, int rows)
    {
        db.AddRange(Enumerable.Range(0, rows).Select(static _ => new Order { Text = $"{Guid.NewGuid()}" }));
        return db.SaveChangesAsync();
    }
}
