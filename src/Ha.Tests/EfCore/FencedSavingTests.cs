using System.Data.Common;
using System.Net;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ha.Tests.EfCore;

/// <summary>The EF Core recipe in docs/applications.md, word for word, against a real PostgreSQL server.</summary>
[Collection(DatabaseTests.Name)]
public sealed class FencedSavingTests(PostgresServer server)
{
    [Fact]
    public void The_documented_recipe_is_the_tried_one()
    {
        var recipe = Repository.Read("src/Ha.Tests/EfCore/FencedSaving.cs");
        Assert.Contains(recipe[recipe.IndexOf("internal static", StringComparison.Ordinal)..], Repository.Read("docs/applications.md"), StringComparison.Ordinal);
    }

    [FactIfPostgres]
    public async Task An_order_is_stored_under_the_newest_epoch_only()
    {
        await using var shop = await ShopAsync();
        await using var node = await NodeAsync(shop);

        Assert.Equal(HttpStatusCode.OK, await OrderAsync(node));
        node.Leadership.Lead(epoch: 3);
        Assert.Equal(HttpStatusCode.OK, await OrderAsync(node));
        node.Leadership.Lead(epoch: 2);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await OrderAsync(node));

        Assert.Equal((4, 3L), await StoredAsync(shop));
    }

    [FactIfPostgres]
    public Task A_transaction_that_the_server_ended_before_it_was_saved_was_not_executed() =>
        IsNotExecutedAsync(new SavingLate());

    [FactIfPostgres]
    public Task A_transaction_that_the_server_ended_before_the_commit_was_not_executed() =>
        IsNotExecutedAsync(new AtCommit { Before = EndedByServerAsync });

    [FactIfPostgres]
    public async Task A_commit_whose_connection_breaks_has_an_unknown_outcome()
    {
        await using var shop = await ShopAsync();
        await using var node = await NodeAsync(shop, new AtCommit { Before = connection => KillAsync(shop, connection) });

        Assert.Equal(HttpStatusCode.BadGateway, await OrderAsync(node));
    }

    /// <summary>With <c>EnableRetryOnFailure</c> EF Core repeats what the server has committed and could not say.</summary>
    [FactIfPostgres]
    public async Task A_commit_that_lost_its_answer_is_repeated_by_EF_Core_and_not_by_the_recipe()
    {
        await using var shop = await ShopAsync();
        await using (var plain = await NodeAsync(shop, LostAnswer(), fenced: false))
        {
            Assert.Equal(HttpStatusCode.OK, await OrderAsync(plain));
        }

        Assert.Equal(4, (await StoredAsync(shop)).Orders);
        await using var node = await NodeAsync(shop, LostAnswer());
        Assert.Equal(HttpStatusCode.BadGateway, await OrderAsync(node));
        Assert.Equal(6, (await StoredAsync(shop)).Orders);
    }

    [FactIfPostgres]
    public async Task A_context_that_retries_refuses_to_save_in_a_transaction_without_the_strategy()
    {
        await using var shop = await ShopAsync();
        await using var db = new Shop(new DbContextOptionsBuilder<Shop>().UseNpgsql(shop, npgsql => npgsql.EnableRetryOnFailure()).Options);

        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            db.Add(new Order { Text = "a book" });
            await db.SaveChangesAsync();
        });
    }

    [FactIfPostgres]
    public async Task RaiseFence_gets_services()
    {
        await using var shop = await ShopAsync();
        var services = new ServiceCollection().AddDbContext<Shop>(options => options.UseNpgsql(shop.ConnectionString)).AddHa();
        services.AddOptions<HaOptions>().Configure<IServiceScopeFactory>((options, scopes) =>
            options.RaiseFence = async (epoch, cancellation) =>
            {
                await using var scope = scopes.CreateAsyncScope();
                return await scope.ServiceProvider.GetRequiredService<Shop>().RaiseFenceAsync(epoch, cancellation);
            });
        await using var provider = services.BuildServiceProvider();
        var raise = provider.GetRequiredService<IOptions<HaOptions>>().Value.RaiseFence!;

        Assert.Equal(0, await raise(7, CancellationToken.None));
        Assert.Equal(7, await raise(5, CancellationToken.None));
        Assert.Equal((0, 7L), await StoredAsync(shop));
    }

    private async Task IsNotExecutedAsync(IInterceptor standstill)
    {
        await using var shop = await ShopAsync(patience: "100ms");
        await using var node = await NodeAsync(shop, standstill);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await OrderAsync(node));

        Assert.Equal((0, 0L), await StoredAsync(shop));
    }

    private async Task<NpgsqlDataSource> ShopAsync(string patience = "1min")
    {
        var shop = NpgsqlDataSource.Create($"{await server.NewDatabaseAsync()};Options=-c idle_in_transaction_session_timeout={patience}");
        await using var db = new Shop(new DbContextOptionsBuilder<Shop>().UseNpgsql(shop).Options);
        await db.CreateAsync();
        return shop;
    }

    private static Task<TestNode> NodeAsync(NpgsqlDataSource shop, IInterceptor? interceptor = null, bool fenced = true) => TestNode.LeaderAsync(
        app => app.MapPost("/orders", async (HttpContext http, Shop db) =>
        {
            db.AddRange(new Order { Text = "a book" }, new Order { Text = "a pen" });
            await (fenced ? db.SaveFencedAsync(http) : db.SaveChangesAsync());
        }),
        new TestNodeSetup
        {
            Options = options => options.WriteHold = TimeSpan.Zero,
            Builder = builder => builder.Services
                .AddSingleton<ILeaderProvider>(new StaticLeader("node"))
                .AddDbContext<Shop>(options => options
                    .UseNpgsql(shop, npgsql => npgsql.EnableRetryOnFailure())
                    .AddInterceptors(interceptor is null ? [] : [interceptor])),
        });

    private static async Task<HttpStatusCode> OrderAsync(TestNode node)
    {
        using var client = TestNode.Client();
        using var answer = await client.PostAsync(node.Url + "/orders", content: null);
        return answer.StatusCode;
    }

    private static async Task<(int Orders, long Epoch)> StoredAsync(NpgsqlDataSource shop)
    {
        await using var db = new Shop(new DbContextOptionsBuilder<Shop>().UseNpgsql(shop).Options);
        return (await db.Orders.CountAsync(), (await db.Database.SqlQuery<long>($"SELECT epoch FROM fence").ToListAsync()).Single());
    }

    private static AtCommit LostAnswer() => new() { After = static () => throw new NpgsqlException("lost", new IOException("lost")) };

    /// <summary>Stands still until the server has had enough.</summary>
    private static async Task EndedByServerAsync(DbConnection connection)
    {
        var session = ((NpgsqlConnection)connection).ProcessID;
        await using var other = new NpgsqlConnection(connection.ConnectionString);
        await other.OpenAsync();
        await Eventually.True(async () =>
        {
            await using var look = new NpgsqlCommand($"SELECT count(*) FROM pg_stat_activity WHERE pid = {session}", other);
            return await look.ExecuteScalarAsync() is 0L;
        });
    }

    private static async Task KillAsync(NpgsqlDataSource shop, DbConnection connection)
    {
        await using var kill = shop.CreateCommand($"SELECT pg_terminate_backend({((NpgsqlConnection)connection).ProcessID})");
        await kill.ExecuteNonQueryAsync();
    }

    private sealed class SavingLate : SaveChangesInterceptor
    {
        public override async ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            await EndedByServerAsync(eventData.Context!.Database.GetDbConnection());
            return result;
        }
    }
}
