using System.Transactions;
using Ha.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.EfCore;

/// <summary>Contexts that are pooled, nested, several on one transaction or on several databases.</summary>
[Collection(DatabaseTests.Name)]
public sealed class FencedContextTests(PostgresServer server)
{
    [Theory, EachDatabase]
    public async Task A_pooled_context_is_fenced_each_time_anew(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services(pool: true);
        for (var epoch = 3; epoch < 6; epoch++)
        {
            await SaveAsync(services, epoch, $"{epoch}");
            await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, epoch - 1, "late"));
        }

        Assert.Equal(["3", "4", "5"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task A_factory_makes_fenced_contexts(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(4);
        await using var services = new ServiceCollection().AddSingleton<ILeaderProvider>(database.Leader)
            .AddDbContextFactory<Shop>((s, options) => database.Use(options).UseHaFence(s)).BuildServiceProvider(validateScopes: true);
        await using var db = await services.GetRequiredService<IDbContextFactory<Shop>>().CreateDbContextAsync();
        using var _ = LeaderScope.Enter(new Term(3));
        db.Add(new Order { Text = "late" });

        await Assert.ThrowsAsync<NotLeaderException>(() => db.SaveChangesAsync());
    }

    [Theory, EachDatabase]
    public async Task Two_contexts_share_a_transaction_and_its_fence(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var first = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await using var transaction = await first.Database.BeginTransactionAsync();
        await AddAsync(first, "first");
        await using (var second = Beside(services, database, first))
        {
            await second.Database.UseTransactionAsync(transaction.GetDbTransaction());
            await AddAsync(second, "second");
        }

        await transaction.CommitAsync();
        Assert.Equal(["first", "second"], await database.OrdersAsync());
    }

    /// <summary>The first one's savepoint takes the second one's check with it.</summary>
    [FactIfPostgres]
    public async Task A_savepoint_of_one_context_counts_for_the_other()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var first = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await using var transaction = await first.Database.BeginTransactionAsync();
        await transaction.CreateSavepointAsync("before");
        await using var second = Beside(services, database, first);
        await second.Database.UseTransactionAsync(transaction.GetDbTransaction());
        await AddAsync(second, "second");
        await transaction.RollbackToSavepointAsync("before");
        await database.RaiseAsync(4);

        second.ChangeTracker.Clear();
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(second, "late"));
    }

    [Theory, EachDatabase]
    public async Task Two_databases_have_a_fence_each(string kind)
    {
        await using var one = await ShopDatabase.CreateAsync(server, kind);
        await using var two = await ShopDatabase.CreateAsync(server, kind);
        await two.RaiseAsync(4);
        await using var services = one.Services();
        await using var others = two.Services();
        await SaveAsync(services, 3, "here");
        await SaveAsync(services, 3, "here again");
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(others, 3, "there"));
        await SaveAsync(others, 4, "there");

        Assert.Equal((3L, 4L), (await one.EpochAsync(), await two.EpochAsync()));
    }

    /// <summary>Npgsql has one object for all transactions of a connection.</summary>
    [Theory, EachDatabase]
    public async Task Each_transaction_of_a_connection_is_checked(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await db.Database.OpenConnectionAsync();
        await using (await db.Database.BeginTransactionAsync())
        {
            // Ends without a word.
            await AddAsync(db, "first");
        }

        await database.RaiseAsync(4);
        await using (await db.Database.BeginTransactionAsync())
        {
            await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(db, "late"));
        }

        await db.Database.CloseConnectionAsync();
        Assert.Empty(await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task Another_epoch_in_the_same_transaction_is_checked_again(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        using (LeaderScope.Enter(new Term(3)))
        {
            await AddAsync(db, "first");
        }

        using (LeaderScope.Enter(new Term(2)))
        {
            await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(db, "late"));
        }
    }

    [Theory, EachDatabase]
    public async Task A_save_inside_a_save_is_fenced_like_it(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services(interceptors: new SavesInside());
        await SaveAsync(services, 3, "outer");
        await database.RaiseAsync(4);
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, 3, "late"));

        Assert.Equal(["inside outer", "outer"], await database.OrdersAsync());
    }

    /// <summary>A single statement without a transaction would have no fence to stand behind.</summary>
    [Theory, EachDatabase]
    public async Task A_context_that_wants_no_transactions_gets_them(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(4);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never;
        using var _ = LeaderScope.Enter(new Term(3));
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(db, "late"));

        Assert.Empty(await database.OrdersAsync());
    }

    [FactIfPostgres]
    public async Task An_ambient_transaction_is_fenced_by_its_first_write()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await InScopeAsync(services, 3, "first", "second");
        await database.RaiseAsync(4);
        await Assert.ThrowsAsync<NotLeaderException>(() => InScopeAsync(services, 3, "late"));
        await InScopeAsync(services, 4, "third");
        await InScopeAsync(services, 4, async () =>
        {
            var raise = Task.Run(() => database.RaiseAsync(5));
            await database.WaitsAsync();
            Assert.False(raise.IsCompleted);
            return raise;
        }, "fourth");

        Assert.Equal(["first", "second", "third", "fourth"], await database.OrdersAsync());
        Assert.Equal(5, await database.EpochAsync());
    }

    /// <summary>With <c>Enlist=false</c> a connection takes no part: each statement stands alone, as without the scope.</summary>
    [FactIfPostgres]
    public async Task A_connection_that_stays_out_of_ambient_transactions_is_fenced_by_itself()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = new ServiceCollection().AddSingleton<ILeaderProvider>(database.Leader)
            .AddDbContext<Shop>((s, options) => options.UseNpgsql(database.ConnectionString + ";Enlist=false").UseHaFence(s)).BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        using var ambient = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        await db.Orders.ExecuteUpdateAsync(set => set.SetProperty(order => order.Text, "first"));
        await AddAsync(db, "second");
        using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
        {
            await database.RaiseAsync(4);
        }

        await Assert.ThrowsAsync<NotLeaderException>(() => db.Database.ExecuteSqlAsync($"INSERT INTO \"Orders\" (\"Text\") VALUES ('late')"));
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(db, "late"));
        using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
        {
            Assert.Equal(["second"], await database.OrdersAsync());
        }
    }

    /// <summary>EF Core does not see how the first one ends, and Npgsql has one object for both.</summary>
    [FactIfPostgres]
    public async Task A_second_transaction_of_ones_own_is_checked_without_being_told_of()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await db.Database.OpenConnectionAsync();
        var connection = db.Database.GetDbConnection();
        var first = await connection.BeginTransactionAsync();
        await db.Database.UseTransactionAsync(first);
        await AddAsync(db, "first");
        await first.CommitAsync();
        await database.RaiseAsync(4);
        await using var second = await connection.BeginTransactionAsync();
        Assert.Same(first, second);

        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(db, "late"));
        await second.RollbackAsync();
        Assert.Equal(["first"], await database.OrdersAsync());
    }

    private static Task InScopeAsync(IServiceProvider services, long epoch, params string[] texts) =>
        InScopeAsync(services, epoch, static () => Task.FromResult(Task.CompletedTask), texts);

    private static async Task InScopeAsync(IServiceProvider services, long epoch, Func<Task<Task>> inside, params string[] texts)
    {
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(epoch));
        Task after;
        using (var ambient = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            foreach (var text in texts)
            {
                await AddAsync(scope.ServiceProvider.GetRequiredService<Shop>(), text);
            }

            using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
            {
                after = await inside();
            }

            ambient.Complete();
        }

        await after;
    }

    /// <summary>Another context on the connection of the first.</summary>
    private static Shop Beside(IServiceProvider services, ShopDatabase database, Shop first)
    {
        var options = new DbContextOptionsBuilder<Shop>();
        var connection = first.Database.GetDbConnection();
        _ = database.IsPostgres ? options.UseNpgsql(connection) : options.UseSqlite(connection);
        return new Shop(options.UseHaFence(services).Options);
    }

    private static async Task SaveAsync(IServiceProvider services, long epoch, string text)
    {
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(epoch));
        await AddAsync(scope.ServiceProvider.GetRequiredService<Shop>(), text);
    }

    private static async Task AddAsync(Shop db, string text)
    {
        db.Add(new Order { Text = text });
        await db.SaveChangesAsync();
    }

    private sealed class SavesInside : SaveChangesInterceptor
    {
        private bool _inside;

        public override async ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            var db = (Shop)eventData.Context!;
            if (!_inside)
            {
                _inside = true;
                var outer = db.ChangeTracker.Entries<Order>().Single().Entity;
                db.Entry(outer).State = EntityState.Detached;
                db.Add(new Order { Text = "inside " + outer.Text });
                await db.SaveChangesAsync(cancellationToken);
                db.Add(outer);
                _inside = false;
            }

            return result;
        }
    }
}
