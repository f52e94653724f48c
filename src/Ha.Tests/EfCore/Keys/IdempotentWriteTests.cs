using System.Data.Common;
using Ha.EntityFrameworkCore;
using Ha.Tests.Example;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.EfCore.Keys;

/// <summary>A write with a key runs once, whatever becomes of it and of its answer.</summary>
[Collection(DatabaseTests.Name)]
public sealed class IdempotentWriteTests(PostgresServer postgres)
{
    private static readonly TimeSpan _aDay = TimeSpan.FromHours(24);

    private int _ran;

    [Theory, EachDatabase]
    public async Task A_key_that_was_seen_gets_the_first_answer(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (HttpContext http, KeyedShop shop) =>
        {
            var purchase = await SaveAsync(http, shop);
            http.Response.Headers.ETag = "\"1\"";
            http.Response.Headers["X-Mine"] = new(["a", "b"]);
            http.Response.Cookies.Append("secret", "1");
            return Results.Created($"/bought/{purchase.Id}", new { purchase.Id });
        }).HonorsIdempotencyKey());

        var first = await node.BuyAsync("a book", "\"k\"");
        var again = await node.BuyAsync("a book", "k");

        Assert.Equal((201, 201, 1), (first.Status, again.Status, _ran));
        Assert.Equal((first.Body, first.MediaType), (again.Body, again.MediaType));
        foreach (var header in (string[])["ETag", "X-Mine", "Location", "Content-Type", "Content-Length"])
        {
            Assert.Equal(first.Headers[header], again.Headers[header]);
        }

        Assert.False(first.Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal("true", again.Headers["Idempotent-Replayed"]);
        Assert.True(first.Headers.ContainsKey("Set-Cookie"));
        Assert.False(again.Headers.ContainsKey("Set-Cookie"));
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [Theory, EachDatabase]
    public async Task Another_request_with_the_key_is_refused_with_422(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await StartAsync(database);

        Assert.Equal(201, (await node.BuyAsync("a book", "k")).Status);
        foreach (var (method, path, body) in ((string, string, string)[])[("POST", "/buy", "a pen"), ("PUT", "/buy", "a book"), ("POST", "/buy?x", "a book"), ("POST", "/buy/", "a book")])
        {
            Assert.Equal((422, "application/problem+json"), await StatusAsync(node.SendAsync(method, path, body, "k")));
        }

        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [Theory]
    [InlineData("\"abc")]
    [InlineData("a,b")]
    [InlineData("\"\"")]
    [InlineData("a", "b")]
    public async Task What_is_not_one_key_is_refused_with_400(params string[] keys)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await StartAsync(database);

        Assert.Equal((400, "application/problem+json"), await StatusAsync(node.BuyAsync("a book", keys)));
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [Theory]
    [InlineData(false, 201, "a book")]
    [InlineData(true, 400, "")]
    public async Task A_write_without_a_key_is_as_any_other_unless_keys_are_required(bool required, int status, string stored)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await StartAsync(database, new KeyedNodeSetup { Options = options => options.Required = required });

        Assert.Equal(status, (await node.BuyAsync("a book")).Status);
        Assert.Equal((stored, 0), await node.StoredAsync());
    }

    [Fact]
    public async Task Endpoints_that_say_nothing_and_reads_are_left_alone()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app =>
        {
            app.MapPost("/buy", BuyAsync);
            app.MapGet("/bought", () => "all").HonorsIdempotencyKey();
        });

        await node.BuyAsync("a book", "k");
        await node.BuyAsync("a book", "k");
        Assert.Equal(200, (await node.SendAsync("GET", "/bought", null, "a,b")).Status);
        Assert.Equal(("a book,a book", 0), await node.StoredAsync());
    }

    [Theory]
    [InlineData("SQLite", 500)]
    [InlineData("SQLite", 503)]
    [InlineData("SQLite", 409)]
    [InlineData("SQLite", 425)]
    [InlineData("SQLite", 429)]
    [InlineData("SQLite", 0)]
    public async Task An_answer_that_is_not_final_undoes_the_write_and_leaves_the_key_unused(string kind, int status)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (HttpContext http, KeyedShop shop) =>
        {
            await SaveAsync(http, shop);
            return _ran == 1 ? status == 0 ? throw new InvalidOperationException("first") : Results.Text("no", statusCode: status) : Results.Text("yes");
        }).HonorsIdempotencyKey());

        var first = await node.BuyAsync("a book", "k");
        Assert.Equal(status == 0 ? 500 : status, first.Status);
        Assert.Equal(status == 0 ? "" : "no", first.Body);
        Assert.Equal(("", 0), await node.StoredAsync());
        Assert.Equal((200, "yes"), await node.BuyAsync("a book", "k") is var second ? (second.Status, second.Body) : default);
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [Theory, EachDatabase]
    public async Task A_refusal_of_the_handler_is_final(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", () =>
        {
            _ran++;
            return Results.Problem("no", statusCode: 400);
        }).HonorsIdempotencyKey());

        var (first, again) = (await node.BuyAsync("a book", "k"), await node.BuyAsync("a book", "k"));
        Assert.Equal((400, 400, first.Body, 1), (first.Status, again.Status, again.Body, _ran));
    }

    [Theory, EachDatabase]
    public async Task Of_two_at_once_the_second_waits_and_gets_the_answer_of_the_first(string kind)
    {
        var (inside, leave) = (new TaskCompletionSource(), new TaskCompletionSource());
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await StartAsync(database, new KeyedNodeSetup { Options = options => options.Patience = TimeSpan.FromMinutes(5) }, async () =>
        {
            inside.TrySetResult();
            await leave.Task;
        });

        var first = node.BuyAsync("a book", "k");
        await inside.Task;
        var second = node.BuyAsync("a book", "k");
        leave.SetResult();

        Assert.False((await first).Headers.ContainsKey("Idempotent-Replayed"));
        Assert.True((await second).Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [Theory, EachDatabase]
    public async Task While_the_first_runs_on_the_second_is_told_409(string kind)
    {
        var (inside, leave) = (new TaskCompletionSource(), new TaskCompletionSource());
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await StartAsync(database, new KeyedNodeSetup { Options = options => options.Patience = TimeSpan.Zero }, async () =>
        {
            inside.TrySetResult();
            await leave.Task;
        });

        var first = node.BuyAsync("a book", "k");
        await inside.Task;
        var second = await node.BuyAsync("a book", "k");
        leave.SetResult();

        Assert.Equal((409, "1"), (second.Status, second.Headers["Retry-After"]));
        Assert.Equal((201, 1), ((await first).Status, _ran));
    }

    [FactIfPostgres]
    public async Task While_another_node_has_the_key_in_work_the_database_waits_and_then_it_is_told_409()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString + ";Options=-c lock_timeout=200ms", Buy);
        await using var other = KeyedNode.Open(database.ConnectionString);
        using var pastTheFence = HaFenceExemption.Begin();
        Assert.Equal(201, (await node.BuyAsync("a book", "k")).Status);
        await using var transaction = await other.Database.BeginTransactionAsync();
        await other.Database.ExecuteSqlRawAsync("CREATE TABLE kept AS SELECT * FROM ha_answers; DELETE FROM ha_answers");
        await transaction.CommitAsync();

        await using var inWork = await other.Database.BeginTransactionAsync();
        await other.Database.ExecuteSqlRawAsync("INSERT INTO ha_answers SELECT * FROM kept");
        Assert.Equal(409, (await node.BuyAsync("a book", "k")).Status);
        await inWork.CommitAsync();

        Assert.Equal("true", (await node.BuyAsync("a book", "k")).Headers["Idempotent-Replayed"]);
        Assert.Equal(1, _ran);
    }

    [Theory, EachDatabase]
    public async Task The_next_leader_gives_the_answer_of_the_last(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var a = await StartAsync(database);
        await using var b = await StartAsync(database);
        var first = await a.BuyAsync("a book", "k");

        a.Leadership.Follow("http://b.example", epoch: 2);
        b.Leadership.Lead(epoch: 2);
        var again = await b.BuyAsync("a book", "k");

        Assert.Equal((first.Body, "true", 1), (again.Body, again.Headers["Idempotent-Replayed"], _ran));
    }

    [Theory, EachDatabase]
    public async Task Answers_are_kept_for_a_day_and_then_cleared_away(string kind)
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await StartAsync(database, new KeyedNodeSetup { Clock = clock });
        await node.BuyAsync("a book", "k1");
        await node.BuyAsync("a pen", "k2");

        // What a request does after its answer comes before the next one on its connection: here, still on the first day.
        await node.SendAsync("GET", "/", null);
        clock.Advance(_aDay);
        Assert.True((await node.BuyAsync("a book", "k1")).Headers.ContainsKey("Idempotent-Replayed"));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False((await node.BuyAsync("a book", "k1")).Headers.ContainsKey("Idempotent-Replayed"));

        // The write has cleared what is left of the first day.
        await node.SendAsync("GET", "/", null);
        Assert.Equal(("a book,a pen,a book", 1), await node.StoredAsync());
    }

    [Fact]
    public async Task Old_answers_are_cleared_in_batches()
    {
        const int many = 450;
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await StartAsync(database, new KeyedNodeSetup { Clock = clock });
        using (HaFenceExemption.Begin())
        {
            await using var shop = KeyedNode.Open(database.ConnectionString);
            for (var i = 0; i < many; i++)
            {
                await shop.Database.ExecuteSqlAsync($"INSERT INTO ha_answers (id, fingerprint, at) VALUES ({i}, '', 0)");
            }
        }

        for (var left = many; left > 0; left = Math.Max(0, left - 200))
        {
            await node.BuyAsync("a book", $"{left}");
            await node.SendAsync("GET", "/", null);
            await Eventually.True(async () => (await node.StoredAsync()).Kept == Math.Max(0, left - 200) + ((many - left) / 200) + 1, what: $"after {left}");
        }
    }

    [Fact]
    public async Task What_comes_out_of_the_clearing_does_not_reach_the_client()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failing = new FailingClearing();
        await using var node = await KeyedNode.StartAsync(
            database.ConnectionString, app => app.MapPost("/buy", (KeyedShop shop) => BuyNothingAsync(shop)).HonorsIdempotencyKey(), new KeyedNodeSetup { Interceptors = [failing] });

        Assert.Equal(204, (await node.BuyAsync("a book", "k")).Status);
        await node.SendAsync("GET", "/", null);
        Assert.Equal((true, ("nothing", 1)), (failing.HasFailed, await node.StoredAsync()));
    }

    /// <summary>Middleware behind would answer in an encoding that another client does not take.</summary>
    [Fact]
    public async Task What_is_kept_is_not_compressed_by_what_stands_behind()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app =>
        {
            app.UseResponseCompression();
            app.MapPost("/buy", () => Results.Text(new string('x', 10_000))).HonorsIdempotencyKey();
            app.MapPost("/plain", () => Results.Text(new string('x', 10_000)));
        }, new KeyedNodeSetup { Builder = builder => builder.Services.AddResponseCompression(), AcceptEncoding = "gzip" });

        Assert.Equal("gzip", (await node.SendAsync("POST", "/plain", "", [])).Headers["Content-Encoding"]);
        foreach (var answer in (Reply[])[await node.BuyAsync("a book", "k"), await node.BuyAsync("a book", "k")])
        {
            Assert.False(answer.Headers.ContainsKey("Content-Encoding"));
            Assert.Equal(10_000, answer.Body.Length);
        }
    }

    [Fact]
    public async Task Bodies_and_answers_that_are_too_long_are_refused_and_nothing_is_stored()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (HttpContext http, KeyedShop shop) =>
        {
            await SaveAsync(http, shop);
            await http.Response.WriteAsync(new string('x', 101));
        }).HonorsIdempotencyKey(), new KeyedNodeSetup
        {
            Options = options => (options.MaxRequestBytes, options.MaxAnswerBytes) = (10, 100),
            Before = failures.Watch,
        });

        Assert.Equal((413, "application/problem+json"), await StatusAsync(node.BuyAsync("12345678901", "k")));
        Assert.Equal(0, _ran);
        Assert.Equal(500, (await node.BuyAsync("1234567890", "k")).Status);
        Assert.Contains("MaxAnswerBytes", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    private Task<KeyedNode> StartAsync(TestDatabase database, KeyedNodeSetup? setup = null, Func<Task>? meanwhile = null) =>
        KeyedNode.StartAsync(database.ConnectionString, app => app.MapMethods("/buy", ["POST", "PUT"], async (HttpContext http, KeyedShop shop) =>
        {
            await (meanwhile?.Invoke() ?? Task.CompletedTask);
            return await BuyAsync(http, shop);
        }).HonorsIdempotencyKey(), setup);

    private void Buy(WebApplication app) => app.MapPost("/buy", BuyAsync).HonorsIdempotencyKey();

    private async Task<IResult> BuyAsync(HttpContext http, KeyedShop shop)
    {
        var purchase = await SaveAsync(http, shop);
        return Results.Created($"/bought/{purchase.Id}", new { purchase.Id });
    }

    private async Task<Purchase> SaveAsync(HttpContext http, KeyedShop shop)
    {
        _ran++;
        using var reader = new StreamReader(http.Request.Body);
        var purchase = new Purchase { Text = await reader.ReadToEndAsync() };
        shop.Add(purchase);
        await shop.SaveChangesAsync();
        return purchase;
    }

    private static async Task<IResult> BuyNothingAsync(KeyedShop shop)
    {
        shop.Add(new Purchase { Text = "nothing" });
        await shop.SaveChangesAsync();
        return Results.NoContent();
    }

    /// <summary>As an execution strategy fails that has given up.</summary>
    private sealed class FailingClearing : DbCommandInterceptor
    {
        public bool HasFailed { get; private set; }

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (eventData.CommandSource == CommandSource.ExecuteDelete)
            {
                HasFailed = true;
                throw new RetryLimitExceededException();
            }

            return ValueTask.FromResult(result);
        }
    }

    private static async Task<(int Status, string MediaType)> StatusAsync(Task<Reply> reply) => ((await reply).Status, (await reply).MediaType);
}
