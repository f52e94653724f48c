using Ha.EntityFrameworkCore;
using Ha.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.EfCore;

/// <summary>The fence's table, who makes it and who raises it.</summary>
[Collection(DatabaseTests.Name)]
public sealed class FenceWithTests(PostgresServer server)
{
    [Theory, EachDatabase]
    public async Task A_new_leader_raises_the_fence(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        Func<ServiceCollection, IServiceCollection>[] ways =
        [
            s => s.AddDbContext<Shop>((p, options) => database.Use(options).UseHaFence(p)),
            s => s.AddDbContextPool<Shop>((p, options) => database.Use(options).UseHaFence(p)),
            s => s.AddDbContextFactory<Shop>((p, options) => database.Use(options).UseHaFence(p)),
            s => s.AddPooledDbContextFactory<Shop>((p, options) => database.Use(options).UseHaFence(p)),
        ];
        var epoch = 0L;
        foreach (var way in ways)
        {
            await using var services = Services(s => way(s), o => o.FenceWith<Shop>());
            var raise = RaiseOf(services);
            Assert.Equal(epoch, await raise(++epoch, CancellationToken.None));
            Assert.Equal(epoch, await raise(epoch - 1, CancellationToken.None));
            Assert.Equal(epoch, await database.EpochAsync());
        }
    }

    [Theory, EachDatabase]
    public async Task Several_fences_are_raised_and_the_highest_counts(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(3);
        var own = 0L;
        await using var services = Services(
            s => s.AddDbContext<Shop>((p, options) => database.Use(options).UseHaFence(p)),
            o =>
            {
                o.RaiseFence = (epoch, _) => ValueTask.FromResult(own = epoch + 2);
                o.FenceWith<Shop>();
            });

        Assert.Equal(7, await RaiseOf(services)(5, CancellationToken.None));
        Assert.Equal((7, 5L), (own, await database.EpochAsync()));
    }

    [Theory, EachDatabase]
    public async Task What_is_missing_is_named(string kind)
    {
        await using var database = await ShopDatabase.EmptyAsync(server, kind);
        await using var nothing = Services(_ => { }, o => o.FenceWith<Shop>());
        await FailsAsync(nothing, "Shop is not registered");
        await using var plain = Services(s => s.AddDbContext<Shop>(options => database.Use(options)), o => o.FenceWith<Shop>());
        await FailsAsync(plain, "Shop has no fence");
        await using var tableless = Services(s => s.AddDbContext<Shop>((p, options) => database.Use(options).UseHaFence(p)), o => o.FenceWith<Shop>());
        await FailsAsync(tableless, "ha_fence is missing");
    }

    /// <summary>HA off: no variable is set, this node leads without an election.</summary>
    [Theory, EachDatabase]
    public async Task With_HA_off_the_fence_stays_at_zero_until_a_cluster_closes_it(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = Services(
            s => s.AddDbContext<Shop>((p, options) => database.Use(options).UseHaFence(p, fence => fence.OutsideLeadership = OutsideLeadership.Refuse)),
            o => o.FenceWith<Shop>());
        await SaveAsync(services, "first");
        await SaveAsync(services, "second");
        Assert.Equal(0, await database.EpochAsync());
        await database.RaiseAsync(1);
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, "late"));

        Assert.Equal(["first", "second"], await database.OrdersAsync());
    }

    [FactIfPostgres]
    public async Task Name_and_schema_are_the_applications_choice()
    {
        await using var database = await ShopDatabase.EmptyAsync(server, "PostgreSQL");
        await using var services = database.Services(fence => (fence.Table, fence.Schema) = ("The Fence", "Inner"));
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        await db.Database.EnsureCreatedAsync();
        using (LeaderScope.Enter(new Term(3)))
        {
            db.Add(new Order { Text = "an order" });
            await db.SaveChangesAsync();
        }

        Assert.Equal(3L, await PostgresServer.RunAsync(database.ConnectionString, """SELECT epoch FROM "Inner"."The Fence" """));
    }

    [Theory, EachDatabase]
    public async Task Migrations_make_the_table_with_its_row_once(string kind)
    {
        await using var database = await ShopDatabase.EmptyAsync(server, kind);
        await using var services = database.Services();
        var operations = Operations(services);
        Assert.Equal(["id", "epoch"], operations.OfType<CreateTableOperation>().Single(table => table.Name == "ha_fence").Columns.Select(column => column.Name));
        Assert.Equal([1, 0L], operations.OfType<InsertDataOperation>().Single().Values.Cast<object>());

        await using var others = database.Services(fence => fence.OwnsTable = false);
        Assert.DoesNotContain(Operations(others), operation => operation is InsertDataOperation or CreateTableOperation { Name: "ha_fence" });
    }

    [Theory, EachDatabase]
    public async Task What_an_application_says_of_all_its_columns_does_not_change_these(string kind)
    {
        await using var plain = await ShopDatabase.EmptyAsync(server, kind);
        await using var services = plain.Services();
        await using var database = await ShopDatabase.EmptyAsync(server, kind);
        await using var opinionated = new ServiceCollection().AddSingleton<ILeaderProvider>(database.Leader)
            .AddDbContext<OpinionatedShop>((s, options) => database.Use(options).UseHaFence(s)).BuildServiceProvider();
        Assert.Equal(Columns(Operations(services)), Columns(Operations<OpinionatedShop>(opinionated)));
        await using var scope = opinionated.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<OpinionatedShop>();
        await db.Database.EnsureCreatedAsync();
        using var _ = LeaderScope.Enter(new Term(3));
        await db.Database.ExecuteSqlAsync($"DELETE FROM ha_fence WHERE epoch > 3");

        Assert.Equal(3, await database.EpochAsync());
    }

    private static IEnumerable<(string Table, string Name, string? Type, int? Length)> Columns(IEnumerable<MigrationOperation> operations) =>
        from table in operations.OfType<CreateTableOperation>()
        where table.Name.StartsWith("ha_", StringComparison.Ordinal)
        from column in table.Columns
        select (table.Name, column.Name, column.ColumnType, column.MaxLength);

    private static IReadOnlyList<MigrationOperation> Operations(IServiceProvider services) => Operations<Shop>(services);

    private static IReadOnlyList<MigrationOperation> Operations<TContext>(IServiceProvider services)
        where TContext : DbContext
    {
        using var scope = services.CreateScope();
        var db = scope.ServiceProvider.GetRequiredService<TContext>();
        return db.GetService<IMigrationsModelDiffer>().GetDifferences(null, db.GetService<IDesignTimeModel>().Model.GetRelationalModel());
    }

    private static ServiceProvider Services(Action<ServiceCollection> add, Action<HaOptions> configure)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().Build());
        add(services);
        services.AddHa(configure);
        return services.BuildServiceProvider(validateScopes: true);
    }

    private static Func<long, CancellationToken, ValueTask<long>> RaiseOf(IServiceProvider services) =>
        services.GetRequiredService<IOptions<HaOptions>>().Value.RaiseFence!;

    private static async Task FailsAsync(IServiceProvider services, string message)
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => RaiseOf(services)(1, CancellationToken.None).AsTask());
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    private static async Task SaveAsync(IServiceProvider services, string text)
    {
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.Add(new Order { Text = text });
        await db.SaveChangesAsync();
    }

    private sealed class OpinionatedShop(DbContextOptions<OpinionatedShop> options) : DbContext(options)
    {
        protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
        {
            configurationBuilder.Properties<string>().HaveMaxLength(100).AreUnicode(false).AreFixedLength();
            configurationBuilder.Properties<long>().HaveConversion<string>();
            configurationBuilder.Properties<int>().HaveConversion<long>();
            configurationBuilder.Properties<byte[]>().HaveMaxLength(10);
        }
    }
}
