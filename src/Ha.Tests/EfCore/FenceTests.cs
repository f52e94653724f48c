using Ha.EntityFrameworkCore;
using Ha.Tests.Support;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.EfCore;

/// <summary>What a context behind the fence may commit, on each database.</summary>
[Collection(DatabaseTests.Name)]
public sealed class FenceTests(PostgresServer server)
{
    [Theory, EachDatabase]
    public async Task A_save_commits_under_the_newest_epoch_only(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();

        await SaveAsync(services, new Term(3), "first");
        await SaveAsync(services, new Term(3), "second");
        await database.RaiseAsync(4);
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, new Term(3), "late"));
        await SaveAsync(services, new Term(4), "third");
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, new Term(3), "late"));

        Assert.Equal(["first", "second", "third"], await database.OrdersAsync());
        Assert.Equal(4, await database.EpochAsync());
    }

    [Theory, EachDatabase]
    public async Task Saving_without_async_is_fenced_too(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        using var scope = services.CreateScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using (LeaderScope.Enter(new Term(3)))
        {
            db.Add(new Order { Text = "first" });
            db.SaveChanges();
            db.Add(new Order { Text = "second" });
            db.SaveChanges();
            await database.RaiseAsync(4);
            db.Add(new Order { Text = "late" });
            Assert.Throws<NotLeaderException>(() => db.SaveChanges());
            Assert.Throws<NotLeaderException>(() => db.Database.ExecuteSql($"""DELETE FROM "Orders" """));
            Assert.Throws<NotLeaderException>(() => db.Orders.ExecuteDelete());
            using var transaction = db.Database.BeginTransaction();
            Assert.Throws<NotLeaderException>(transaction.Commit);
        }

        Assert.Equal(["first", "second"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task What_was_refused_does_not_count_as_saved(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(4);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        db.Add(new Order { Text = "an order" });
        using (LeaderScope.Enter(new Term(3)))
        {
            await Assert.ThrowsAsync<NotLeaderException>(() => db.SaveChangesAsync());
        }

        Assert.Equal(EntityState.Added, db.ChangeTracker.Entries().Single().State);
        using (LeaderScope.Enter(new Term(4)))
        {
            Assert.Equal(1, await db.SaveChangesAsync());
        }

        Assert.Equal(["an order"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task A_lease_that_ended_before_the_commit_commits_nothing(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        var term = new Term(3);
        await using var services = database.Services(interceptors: new AtSave { After = () => term.IsOver = true });

        var refused = await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, term, "late"));

        Assert.Equal("http://next:1", refused.LeaderUrl);
        Assert.Empty(await database.OrdersAsync());
    }

    /// <summary>Nobody has written since, so the fence would let it through.</summary>
    [Theory, EachDatabase]
    public async Task A_lease_that_has_ended_writes_nothing(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        var term = new Term(3);
        await SaveAsync(services, term, "first");
        term.IsOver = true;
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, term, "late"));
        await Assert.ThrowsAsync<NotLeaderException>(() => RunAsync(services, term, db => db.Orders.ExecuteDeleteAsync()));
        await Assert.ThrowsAsync<NotLeaderException>(() => RunAsync(services, term, db => db.Database.ExecuteSqlAsync($"""DELETE FROM "Orders" """)));

        Assert.Equal(["first"], await database.OrdersAsync());
    }

    /// <summary>By <c>ExecuteUpdate</c>, <c>ExecuteDelete</c> and SQL, alone and in a transaction, before and after the epoch is known.</summary>
    [Theory, EachDatabase]
    public async Task Statements_are_fenced(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await SaveAsync(services, new Term(3), "a");
        Func<Shop, Task<int>>[] writes =
        [
            db => db.Orders.ExecuteUpdateAsync(set => set.SetProperty(order => order.Text, order => order.Text + "!")),
            db => db.Database.ExecuteSqlAsync($"""UPDATE "Orders" SET "Text" = "Text" || '?' """),
            db => db.Database.ExecuteSqlRawAsync("""UPDATE "Orders" SET "Text" = "Text" || '.' -- the end"""),
            db => db.Orders.Where(order => order.Text == "nothing").ExecuteDeleteAsync(),
        ];
        for (var epoch = 3; epoch < 6; epoch++)
        {
            foreach (var write in writes)
            {
                await using var scope = services.CreateAsyncScope();
                var db = scope.ServiceProvider.GetRequiredService<Shop>();
                var expected = write == writes[3] ? 0 : 1;
                using (LeaderScope.Enter(new Term(epoch)))
                {
                    Assert.Equal(expected, await write(db));
                    await using var transaction = await db.Database.BeginTransactionAsync();
                    Assert.Equal(expected, await write(db));
                    await transaction.CommitAsync();
                }

                using (LeaderScope.Enter(new Term(epoch - 1)))
                {
                    await Assert.ThrowsAsync<NotLeaderException>(() => write(db));
                    await using var transaction = await db.Database.BeginTransactionAsync();
                    await Assert.ThrowsAsync<NotLeaderException>(() => write(db));
                }
            }
        }

        Assert.Equal(["a!!??..!!??..!!??.."], await database.OrdersAsync());
        Assert.Equal(5, await database.EpochAsync());
    }

    [Theory, EachDatabase]
    public async Task A_transaction_is_checked_once_and_holds_the_fence(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            await AddAsync(db, "first");
            var raise = Task.Run(() => database.RaiseAsync(4));
            await database.WaitsAsync();
            await AddAsync(db, "second");
            Assert.False(raise.IsCompleted);
            await transaction.CommitAsync();
            await raise;
        }

        Assert.Equal(["first", "second"], await database.OrdersAsync());
    }

    /// <summary>Dapper, or SQL of one's own: EF Core sees none of it but the transaction.</summary>
    [Theory, EachDatabase]
    public async Task Work_on_the_contexts_connection_is_fenced_at_the_commit(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await InsertAsync(services, new Term(3), "first");
        await database.RaiseAsync(4);
        await Assert.ThrowsAsync<NotLeaderException>(() => InsertAsync(services, new Term(3), "late"));

        Assert.Equal(["first"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task A_rollback_to_a_savepoint_lets_go_of_the_fence_and_is_checked_again(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await SaveAsync(services, new Term(3), "first");
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await using var transaction = await db.Database.BeginTransactionAsync();
        await transaction.CreateSavepointAsync("before");
        await AddAsync(db, "second");
        await transaction.RollbackToSavepointAsync("before");
        if (database.IsPostgres)
        {
            // Elsewhere the whole transaction holds up all others.
            await database.RaiseAsync(4);
            await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(db, "late"));
        }
        else
        {
            db.ChangeTracker.Clear();
            await AddAsync(db, "third");
            await transaction.CommitAsync();
        }

        Assert.Equal(database.IsPostgres ? ["first"] : ["first", "third"], await database.OrdersAsync());
    }

    /// <summary>EF Core sets a savepoint of its own for each save in a transaction, and goes back to it when the save fails.</summary>
    [FactIfPostgres]
    public async Task A_save_that_failed_in_a_transaction_is_checked_again()
    {
        await using var database = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var services = database.Services();
        await SaveAsync(services, new Term(3), "first");
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();
        using var _ = LeaderScope.Enter(new Term(3));
        await using var transaction = await db.Database.BeginTransactionAsync();
        db.Add(new Order { Id = (await db.Orders.AsNoTracking().SingleAsync()).Id, Text = "again" });
        await Assert.ThrowsAsync<DbUpdateException>(() => db.SaveChangesAsync());
        db.ChangeTracker.Clear();
        await database.RaiseAsync(4);
        await InsertAsync(db, "late");
        await Assert.ThrowsAsync<NotLeaderException>(() => transaction.CommitAsync());

        Assert.Equal(["first"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task Reads_need_no_leader(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(9);
        await using var services = database.Services();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<Shop>();

        Assert.Empty(await db.Orders.ToListAsync());
        Assert.Equal(0, await db.SaveChangesAsync());
        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            Assert.Empty(await db.Orders.ToListAsync());
            await transaction.CommitAsync();
        }

        if (database.IsPostgres)
        {
            using var _ = LeaderScope.Enter(new Term(3));
            await using var transaction = await db.Database.BeginTransactionAsync();
            await using var readOnly = db.Database.GetDbConnection().CreateCommand();
            readOnly.CommandText = "SET TRANSACTION READ ONLY";
            await readOnly.ExecuteNonQueryAsync();
            Assert.Empty(await db.Orders.ToListAsync());
            await transaction.CommitAsync();
        }
    }

    [Theory, EachDatabase]
    public async Task Without_leadership_in_scope_the_node_takes_part_if_it_leads(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services();
        await Assert.ThrowsAsync<NotLeaderException>(() => SaveAsync(services, null, "as a follower"));
        await Assert.ThrowsAsync<NotLeaderException>(() => RunAsync(services, null, db => db.Orders.ExecuteDeleteAsync()));
        database.Leader.Lead(epoch: 7);
        await SaveAsync(services, null, "as the leader");

        Assert.Equal(["as the leader"], await database.OrdersAsync());
        Assert.Equal(7, await database.EpochAsync());
    }

    [Theory, EachDatabase]
    public async Task A_write_without_leadership_in_scope_can_be_refused(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        database.Leader.Lead(epoch: 7);
        await using var services = database.Services(fence => fence.OutsideLeadership = OutsideLeadership.Refuse);
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => SaveAsync(services, null, "outside"));
        Assert.Contains("LeaderScope.Enter", refused.Message, StringComparison.Ordinal);
        await SaveAsync(services, new Term(7), "inside");

        Assert.Equal(["inside"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task An_exempted_block_writes_past_the_fence(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(9);
        await using var services = database.Services(fence => fence.OutsideLeadership = OutsideLeadership.Refuse);
        using (HaFenceExemption.Begin())
        {
            await SaveAsync(services, null, "a");
            await InsertAsync(services, null, "b");
            await RunAsync(services, null, db => db.Database.ExecuteSqlAsync($"""UPDATE "Orders" SET "Text" = "Text" || '!'"""));
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() => SaveAsync(services, null, "afterwards"));
        Assert.Equal(["a!", "b!"], await database.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task What_was_started_in_an_exemption_is_fenced_after_its_end(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await database.RaiseAsync(9);
        await using var services = database.Services();
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task late;
        using (HaFenceExemption.Begin())
        {
            using (HaFenceExemption.Begin())
            {
                late = LateAsync();
            }

            await SaveAsync(services, new Term(3), "a repair");
        }

        ended.SetResult();
        await Assert.ThrowsAsync<NotLeaderException>(() => late);
        Assert.Equal(["a repair"], await database.OrdersAsync());

        async Task LateAsync()
        {
            await ended.Task;
            await SaveAsync(services, new Term(3), "late");
        }
    }

    [Theory, EachDatabase]
    public async Task A_missing_table_is_named(string kind)
    {
        await using var database = await ShopDatabase.CreateAsync(server, kind);
        await using var services = database.Services(fence => fence.Table = "elsewhere");
        var missing = await Assert.ThrowsAsync<InvalidOperationException>(() => SaveAsync(services, new Term(1), "an order"));

        Assert.Contains("elsewhere is missing in the database", missing.Message, StringComparison.Ordinal);
    }

    private static Task SaveAsync(IServiceProvider services, Term? term, string text) => RunAsync(services, term, db => AddAsync(db, text));

    private static Task InsertAsync(IServiceProvider services, Term? term, string text) => RunAsync(services, term, async db =>
    {
        await using var transaction = await db.Database.BeginTransactionAsync();
        await InsertAsync(db, text);
        await transaction.CommitAsync();
    });

    private static async Task RunAsync(IServiceProvider services, Term? term, Func<Shop, Task> work)
    {
        await using var scope = services.CreateAsyncScope();
        using var _ = term is null ? null : LeaderScope.Enter(term);
        await work(scope.ServiceProvider.GetRequiredService<Shop>());
    }

    private static async Task AddAsync(Shop db, string text)
    {
        db.Add(new Order { Text = text });
        await db.SaveChangesAsync();
    }

    private static async Task InsertAsync(Shop db, string text)
    {
        await using var insert = db.Database.GetDbConnection().CreateCommand();
        insert.Transaction = Microsoft.EntityFrameworkCore.Storage.DbContextTransactionExtensions.GetDbTransaction(db.Database.CurrentTransaction!);
        insert.CommandText = $"""INSERT INTO "Orders" ("Text") VALUES ('{text}')""";
        await insert.ExecuteNonQueryAsync();
    }
}
