using System.Data;
using Ha.EntityFrameworkCore;
using Ha.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ha.Tests.EfCore;

/// <summary>What failures become behind the fence, and what stays as it is.</summary>
[Collection(DatabaseTests.Name)]
public sealed class OutcomeTests(PostgresServer server)
{
    [FactIfPostgres]
    public async Task Each_try_of_an_execution_strategy_is_checked()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        var raised = 0;
        await using var services = database.Services(retry: true, interceptors: new FailsOnce(async () =>
        {
            raised++;
            await database.RaiseAsync(4);
        }));
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(3));
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.AddRange(new Order { Text = "late" }, new Order { Text = "later" });
        await Assert.ThrowsAsync<NotLeaderException>(() => db.SaveChangesAsync());

        Assert.Equal(1, raised);
        Assert.Empty(await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task A_commit_that_was_given_up_is_unknown(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services(interceptors: new AtCommit { After = static () => throw new OperationCanceledException() });
        if (database.IsPostgres)
        {
            await Assert.ThrowsAsync<OutcomeUnknownException>(() => SaveAsync(services, new Term(3), "an order"));
        }
        else
        {
            // There is no connection that could break.
            await Assert.ThrowsAsync<OperationCanceledException>(() => SaveAsync(services, new Term(3), "an order"));
        }
    }

    [Theory, EachDatabase]
    public async Task A_save_that_was_cancelled_before_its_commit_was_only_cancelled(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        using var cancel = new CancellationTokenSource();
        await using var services = database.Services(interceptors: new AtSave { After = cancel.Cancel });
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(3));
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.Add(new Order { Text = "an order" });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => db.SaveChangesAsync(cancel.Token));

        Assert.Empty(await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task Conflicts_stay_what_they_are(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await SaveAsync(services, new Term(3), "an order");
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(3));
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.Add(new Order { Id = (await db.Orders.AsNoTracking().SingleAsync()).Id, Text = "again" });
        var twice = await Assert.ThrowsAsync<DbUpdateException>(() => db.SaveChangesAsync());
        Assert.Equal(database.IsPostgres ? "PostgresException" : "SqliteException", twice.InnerException!.GetType().Name);

        db.ChangeTracker.Clear();
        db.Remove(new Order { Id = 4711, Text = "gone" });
        await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => db.SaveChangesAsync());
    }

    [FactIfPostgres]
    public async Task A_serialization_failure_stays_what_it_is()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await SaveAsync(services, new Term(3), "an order");
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(3));
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        await using var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        var order = await db.Orders.SingleAsync();
        await using (var other = database.Plain())
        {
            await other.Orders.ExecuteUpdateAsync(set => set.SetProperty(o => o.Text, "meanwhile"));
        }

        order.Text = "mine";
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => db.SaveChangesAsync());

        Assert.Equal("40001", ((PostgresException)failure.GetBaseException()).SqlState);
    }

    [FactIfPostgres]
    public async Task A_deadlock_stays_what_it_is()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await SaveAsync(services, new Term(3), "a");
        await SaveAsync(services, new Term(3), "b");
        var locked = new[] { new TaskCompletionSource(), new TaskCompletionSource() };
        var victims = await Task.WhenAll(Enumerable.Range(0, 2).Select(async first =>
        {
            await using var scope = services.CreateAsyncScope();
            using var _ = LeaderScope.Enter(new Term(3));
            var db = scope.ServiceProvider.GetRequiredService<Shop>();
            await using var transaction = await db.Database.BeginTransactionAsync();
            string[] texts = first == 0 ? ["a", "b"] : ["b", "a"];
            await LockAsync(db, texts[0]);
            locked[first].SetResult();
            await locked[1 - first].Task;
            try
            {
                await LockAsync(db, texts[1]);
                await transaction.CommitAsync();
                return null;
            }
            catch (Exception failure) when (failure.GetBaseException() is PostgresException { SqlState: var state })
            {
                return state;
            }
        }));

        Assert.Equal([null, "40P01"], victims.Order());
    }

    /// <summary>It commits by itself, so nobody can say whether it has; an execution strategy would run it again.</summary>
    [FactIfPostgres]
    public async Task A_statement_that_stands_alone_and_loses_its_connection_is_unknown()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services(retry: true);
        await SaveAsync(services, new Term(3), "an order");
        await using var other = database.Plain();
        await using var holds = await other.Database.BeginTransactionAsync();
        await LockAsync(other, "an order");
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(new Term(3));
        var waiting = LockAsync(scope.ServiceProvider.GetRequiredService<Shop>(), "an order");
        await database.WaitsAsync();
        await PostgresServer.RunAsync(database.ConnectionString, """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
            """);

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => waiting);
    }

    /// <summary>A worker without a scope, whose save failed and went back to its savepoint, and the fence's lock with it.</summary>
    [FactIfPostgres]
    public async Task A_commit_without_a_scope_is_checked_again_after_a_failed_save()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        await using var transaction = await FailedOnceAsync(database, db);
        database.Leader.Follow("http://next:1", 4);

        await Assert.ThrowsAsync<NotLeaderException>(() => transaction.CommitAsync());
        Assert.Empty(await database.OrdersAsync());
    }

    [FactIfPostgres]
    public async Task A_commit_without_a_scope_that_lost_its_answer_is_unknown()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services(interceptors: LostAnswer(database));
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        await using var transaction = await FailedOnceAsync(database, db);

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => transaction.CommitAsync());
        Assert.Equal(["an order"], await database.OrdersAsync());
    }

    [FactIfPostgres]
    public async Task So_is_one_inside_of_an_exemption()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        database.Leader.Lead(3);
        await using var services = database.Services(interceptors: LostAnswer(database));
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        await using var transaction = await db.Database.BeginTransactionAsync();
        db.Add(new Order { Text = "an order" });
        await db.SaveChangesAsync();
        using var _ = HaFenceExemption.Begin();

        await Assert.ThrowsAsync<OutcomeUnknownException>(() => transaction.CommitAsync());
        Assert.Equal(["an order"], await database.OrdersAsync());
    }

    /// <summary>A transaction with one order in it, after a save that failed.</summary>
    private static async Task<IDbContextTransaction> FailedOnceAsync(ShopDatabase database, Shop db)
    {
        database.Leader.Lead(3);
        var transaction = await db.Database.BeginTransactionAsync();
        var order = new Order { Text = "an order" };
        db.Add(order);
        await db.SaveChangesAsync();
        db.ChangeTracker.Clear();
        db.Add(new Order { Id = order.Id, Text = "again" });
        await Assert.ThrowsAsync<DbUpdateException>(() => db.SaveChangesAsync());
        db.ChangeTracker.Clear();
        return transaction;
    }

    private static AtCommit LostAnswer(ShopDatabase database) => new()
    {
        After = () =>
        {
            database.Leader.Follow("http://next:1", 4);
            throw new NpgsqlException("lost", new IOException("lost"));
        },
    };

    private static Task<int> LockAsync(Shop db, string text) =>
        db.Orders.Where(order => order.Text == text).ExecuteUpdateAsync(set => set.SetProperty(order => order.Text, order => order.Text));

    private static async Task SaveAsync(IServiceProvider services, Term term, string text)
    {
        await using var scope = services.CreateAsyncScope();
        using var _ = LeaderScope.Enter(term);
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.Add(new Order { Text = text });
        await db.SaveChangesAsync();
    }
}
