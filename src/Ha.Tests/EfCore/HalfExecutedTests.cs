using System.Net;
using System.Transactions;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.EfCore;

/// <summary>
/// A request of several transactions whose leadership ends between them: whoever is told "not executed" sends it again, and the first
/// ones are executed twice.
/// </summary>
[Collection(DatabaseTests.Name)]
public sealed class HalfExecutedTests(PostgresServer server)
{
    private const string Next = "http://next.example:1";

    [Theory, EachDatabase]
    public async Task A_save_that_is_refused_after_another_was_committed_is_unknown(string kind)
    {
        await using var shop = await ShopDatabase.CreateAsync(server, kind);
        await using var node = await NodeAsync(shop, async (db, _, end) =>
        {
            await AddAsync(db, "first");
            end();
            await AddAsync(db, "second");
        });

        Assert.Equal(HttpStatusCode.BadGateway, await PostAsync(node));
        Assert.Equal(["first"], await shop.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task So_is_one_after_a_transaction_and_one_after_a_statement(string kind)
    {
        await using var shop = await ShopDatabase.CreateAsync(server, kind);
        Func<Shop, Task>[] ways =
        [
            async db =>
            {
                await using var transaction = await db.Database.BeginTransactionAsync();
                await AddAsync(db, "first");
                await transaction.CommitAsync();
            },
            db => db.Database.ExecuteSqlAsync($"INSERT INTO \"Orders\" (\"Text\") VALUES ('first')"),
            db => db.Orders.ExecuteUpdateAsync(set => set.SetProperty(order => order.Text, "other")),
        ];
        foreach (var way in ways)
        {
            await using var node = await NodeAsync(shop, async (db, _, end) =>
            {
                await way(db);
                end();
                await AddAsync(db, "second");
            });
            Assert.Equal(HttpStatusCode.BadGateway, await PostAsync(node));
        }

        Assert.Equal(["other", "other"], await shop.OrdersAsync());
    }

    /// <summary>On PostgreSQL such a save commits by itself, once the epoch is known to be stored.</summary>
    [Theory, EachDatabase]
    public async Task So_is_a_look_of_the_handlers_own_after_a_save_of_one_statement(string kind)
    {
        await using var shop = await ShopDatabase.CreateAsync(server, kind);
        var ends = false;
        await using var node = await NodeAsync(shop, async (db, http, end) =>
        {
            await AddAsync(db, "an order");
            if (ends)
            {
                end();
                http.Features.Get<IHaFeature>()!.EnsureStillLeader();
            }
        });

        Assert.Equal(HttpStatusCode.OK, await PostAsync(node));
        ends = true;
        Assert.Equal(HttpStatusCode.BadGateway, await PostAsync(node));
        Assert.Equal(2, (await shop.OrdersAsync()).Length);
    }

    [FactIfPostgres]
    public async Task So_is_one_after_an_ambient_transaction()
    {
        await using var shop = await ShopDatabase.CreateAsync(server, "PostgreSQL");
        await using var node = await NodeAsync(shop, async (db, _, end) =>
        {
            using (var ambient = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
            {
                await AddAsync(db, "first");
                ambient.Complete();
            }

            end();
            await AddAsync(db, "second");
        });

        Assert.Equal(HttpStatusCode.BadGateway, await PostAsync(node));
        Assert.Equal(["first"], await shop.OrdersAsync());
    }

    [Theory, EachDatabase]
    public async Task So_is_a_plain_fenced_write_after_another(string kind)
    {
        await using var shop = await ShopDatabase.CreateAsync(server, kind);
        await using var source = shop.Source();
        await using var node = await NodeAsync(shop, async (_, _, end) =>
        {
            Assert.Equal(1, await shop.Fence.WriteAsync(source, LeaderScope.Current!, static _ => Task.FromResult(1)));
            end();
            await shop.Fence.WriteAsync(source, LeaderScope.Current!, static _ => Task.FromResult(2));
        });

        Assert.Equal(HttpStatusCode.BadGateway, await PostAsync(node));
    }

    /// <summary>What was entered inside of the request is a part of it.</summary>
    [Theory, EachDatabase]
    public async Task What_another_scope_has_committed_counts(string kind)
    {
        await using var shop = await ShopDatabase.CreateAsync(server, kind);
        await using var node = await NodeAsync(shop, async (db, _, end) =>
        {
            using (LeaderScope.Enter(LeaderScope.Current!))
            {
                await AddAsync(db, "first");
            }

            end();
            await AddAsync(db, "second");
        });

        Assert.Equal(HttpStatusCode.BadGateway, await PostAsync(node));
    }

    [Theory, EachDatabase]
    public async Task What_was_rolled_back_or_belongs_to_another_request_does_not(string kind)
    {
        await using var shop = await ShopDatabase.CreateAsync(server, kind);
        var ends = false;
        await using var node = await NodeAsync(shop, async (db, _, end) =>
        {
            if (ends)
            {
                await using (await db.Database.BeginTransactionAsync())
                {
                    await AddAsync(db, "undone");
                }

                db.ChangeTracker.Clear();
                end();
            }

            await AddAsync(db, "an order");
        });

        Assert.Equal(HttpStatusCode.OK, await PostAsync(node));
        ends = true;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await PostAsync(node));
        Assert.Equal(["an order"], await shop.OrdersAsync());
    }

    private static async Task<TestNode> NodeAsync(ShopDatabase shop, Func<Shop, HttpContext, Action, Task> handler)
    {
        TestNode? node = null;
        return node = await TestNode.LeaderAsync(
            app => app.MapPost("/orders", (Shop db, HttpContext http) => handler(db, http, () => node!.Leadership.Follow(Next, epoch: 2))),
            new TestNodeSetup
            {
                Options = options => options.WriteHold = TimeSpan.Zero,
                Builder = builder => builder.Services
                    .AddSingleton<ILeaderProvider>(new StaticLeader("node"))
                    .AddDbContext<Shop>((services, options) => shop.Use(options).UseHaFence(services)),
            });
    }

    private static async Task<HttpStatusCode> PostAsync(TestNode node)
    {
        using var client = TestNode.Client();
        using var answer = await client.PostAsync(node.Url + "/orders", content: null);
        return answer.StatusCode;
    }

    private static async Task AddAsync(Shop db, string text)
    {
        db.Add(new Order { Text = text });
        await db.SaveChangesAsync();
    }
}
