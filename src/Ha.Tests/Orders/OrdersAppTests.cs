using System.Net.Http.Json;
using Ha.Tests.Example;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Orders;

namespace Ha.Tests.Orders;

/// <summary>The orders sample without HA, in this process.</summary>
[Collection(DatabaseTests.Name)]
public sealed class OrdersAppTests(PostgresServer postgres)
{
    [Theory, EachDatabase]
    public async Task An_order_takes_its_stock_once_and_is_shipped(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await StartAsync(database.ConnectionString);

        using var first = await app.OrderAsync("k", 1, 2);
        using var again = await app.OrderAsync("k", 1, 2);
        using var withoutKey = await app.OrderAsync(key: null, 1, 2);

        Assert.Equal((201, 201, 400), ((int)first.StatusCode, (int)again.StatusCode, (int)withoutKey.StatusCode));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        Assert.True(again.Headers.Contains("Idempotent-Replayed"));
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        await Eventually.True(async () => await app.WithAsync(shop => shop.Shipments.CountAsync()) == 1);
        Assert.Equal((1, 999_998), (await app.WithAsync(shop => shop.Orders.CountAsync()), await app.WithAsync(shop => shop.Products.Where(p => p.Id == 1).Select(p => p.Stock).SingleAsync())));
    }

    [Theory, EachDatabase]
    public async Task What_is_not_there_is_not_sold_and_what_was_taken_before_is_put_back(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await StartAsync(database.ConnectionString);

        using var refused = await app.OrderAsync("k", 1, 1, 2, 1_000_001);
        Assert.Equal(409, (int)refused.StatusCode);
        Assert.Equal(1_000_000, await app.WithAsync(shop => shop.Products.Where(p => p.Id == 1).Select(p => p.Stock).SingleAsync()));

        // The key is as good as new.
        using var taken = await app.OrderAsync("k", 1, 1, 2, 1_000_000);
        Assert.Equal(201, (int)taken.StatusCode);
    }

    [Theory, EachDatabase]
    public async Task The_migrations_are_those_of_the_model(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await StartAsync(database.ConnectionString);
        Assert.False(await app.WithAsync(shop => Task.FromResult(shop.Database.HasPendingModelChanges())));
        Assert.Empty(await app.WithAsync(async shop => (await shop.Database.GetPendingMigrationsAsync()).ToList()));
    }

    private static async Task<RunningApp> StartAsync(string database)
    {
        var app = global::Orders.Program.Build(["--urls", "http://127.0.0.1:0", "--ConnectionStrings:Orders", database]);
        await app.StartAsync();
        return new RunningApp(app);
    }

    private sealed class RunningApp(WebApplication app) : IAsyncDisposable
    {
        private readonly HttpClient _http = new() { BaseAddress = new Uri(app.Urls.Single()) };

        /// <param name="key">Null: none.</param>
        /// <param name="lines">Product and quantity, by turns.</param>
        public async Task<HttpResponseMessage> OrderAsync(string? key, params int[] lines)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/orders");
            request.Content = JsonContent.Create(new { customer = "one", lines = lines.Chunk(2).Select(line => new { product = line[0], quantity = line[1] }) });
            if (key is not null)
            {
                request.Headers.Add("Idempotency-Key", key);
            }

            return await _http.SendAsync(request);
        }

        public async Task<T> WithAsync<T>(Func<ShopContext, Task<T>> read)
        {
            await using var scope = app.Services.CreateAsyncScope();
            return await read(scope.ServiceProvider.GetRequiredService<ShopContext>());
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();

            // Without it nobody waits for the background job, which would open the database again that goes next.
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }
}
