using System.Data.Common;
using System.Net;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ha.Tests.EfCore;

/// <summary>What a client is told of a plain <c>SaveChanges</c> in a handler, through the real middleware, on a real PostgreSQL server.</summary>
[Collection(DatabaseTests.Name)]
public sealed class FencedRequestTests(PostgresServer server)
{
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

    /// <summary>A leader stood still inside its transaction, the server has rolled back, and the next one leads.</summary>
    [FactIfPostgres]
    public async Task A_transaction_that_the_server_ended_was_not_executed()
    {
        await using var shop = await ShopAsync();
        TestNode? leader = null;
        await using var node = leader = await NodeAsync(shop, TimeSpan.FromMilliseconds(100), new AtCommit
        {
            Before = async connection =>
            {
                await EndedByServerAsync(connection);
                leader!.Leadership.Follow("http://next.example:1", epoch: 2);
            },
        });

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await OrderAsync(node));

        Assert.Equal(0, (await StoredAsync(shop)).Orders);
    }

    [FactIfPostgres]
    public async Task A_commit_whose_connection_breaks_has_an_unknown_outcome()
    {
        await using var shop = await ShopAsync();
        await using var node = await NodeAsync(shop, interceptor: new AtCommit { Before = connection => KillAsync(shop, connection) });

        Assert.Equal(HttpStatusCode.BadGateway, await OrderAsync(node));
    }

    /// <summary>With <c>EnableRetryOnFailure</c> EF Core repeats what the server has committed and could not say.</summary>
    [FactIfPostgres]
    public async Task A_commit_that_lost_its_answer_is_repeated_by_EF_Core_and_not_behind_the_fence()
    {
        await using var shop = await ShopAsync();
        await using (var plain = await NodeAsync(shop, interceptor: LostAnswer(), fenced: false))
        {
            Assert.Equal(HttpStatusCode.OK, await OrderAsync(plain));
        }

        Assert.Equal(4, (await StoredAsync(shop)).Orders);
        await using var node = await NodeAsync(shop, interceptor: LostAnswer());
        Assert.Equal(HttpStatusCode.BadGateway, await OrderAsync(node));
        Assert.Equal(6, (await StoredAsync(shop)).Orders);
    }

    private Task<ShopDatabase> ShopAsync() => ShopDatabase.CreateAsync(server, "PostgreSQL");

    private static Task<TestNode> NodeAsync(ShopDatabase shop, TimeSpan? idleLimit = null, IInterceptor? interceptor = null, bool fenced = true) =>
        TestNode.LeaderAsync(
            app => app.MapPost("/orders", async (Shop db) =>
            {
                db.AddRange(new Order { Text = $"{Guid.NewGuid()}" }, new Order { Text = $"{Guid.NewGuid()}" });
                await db.SaveChangesAsync();
            }),
            new TestNodeSetup
            {
                Options = options => options.WriteHold = TimeSpan.Zero,
                Builder = builder => builder.Services
                    .AddSingleton<ILeaderProvider>(new StaticLeader("node"))
                    .AddDbContext<Shop>((services, options) =>
                    {
                        options.UseNpgsql(shop.ConnectionString, npgsql => npgsql.EnableRetryOnFailure());
                        options.AddInterceptors(interceptor is null ? [] : [interceptor]);
                        if (fenced)
                        {
                            options.UseHaFence(services, fence => fence.IdleLimit = idleLimit ?? TimeSpan.FromSeconds(30));
                        }
                    }),
            });

    private static async Task<HttpStatusCode> OrderAsync(TestNode node)
    {
        using var client = TestNode.Client();
        using var answer = await client.PostAsync(node.Url + "/orders", content: null);
        return answer.StatusCode;
    }

    private static async Task<(int Orders, long Epoch)> StoredAsync(ShopDatabase shop) => ((await shop.OrdersAsync()).Length, await shop.EpochAsync());

    private static AtCommit LostAnswer() => new() { After = static () => throw new NpgsqlException("lost", new IOException("lost")) };

    /// <summary>Stands still until the server has had enough.</summary>
    private static async Task EndedByServerAsync(DbConnection connection)
    {
        var session = ((NpgsqlConnection)connection).ProcessID;
        await Eventually.True(async () => await PostgresServer.RunAsync(
            connection.ConnectionString, $"SELECT count(*) FROM pg_stat_activity WHERE pid = {session}") is 0L);
    }

    private static Task<object?> KillAsync(ShopDatabase shop, DbConnection connection) =>
        PostgresServer.RunAsync(shop.ConnectionString, $"SELECT pg_terminate_backend({((NpgsqlConnection)connection).ProcessID})");
}
