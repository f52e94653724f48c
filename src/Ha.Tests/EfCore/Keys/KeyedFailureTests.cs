using System.Data.Common;
using System.Security.Claims;
using Ha.Tests.Example;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ha.Tests.EfCore.Keys;

/// <summary>What a handler, a database and a user can do to a write with a key.</summary>
[Collection(DatabaseTests.Name)]
public sealed class KeyedFailureTests(PostgresServer postgres)
{
    private int _ran;

    [Theory]
    [InlineData(true, 503)]
    [InlineData(false, 502)]
    public async Task What_a_handler_says_of_leadership_reaches_the_client_and_nothing_is_stored(bool notLeader, int status)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            throw notLeader ? new NotLeaderException() : new OutcomeUnknownException();
        }).HonorsIdempotencyKey());

        Assert.Equal(status, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [Theory]
    [InlineData("notleader", 503)]
    [InlineData("unknown", 502)]
    public async Task So_it_does_where_MVC_has_caught_it(string path, int status)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapControllers(), new KeyedNodeSetup
        {
            Builder = builder => builder.Services.AddControllers().ConfigureApplicationPartManager(parts => parts.FeatureProviders.Add(new Only())),
        });

        Assert.Equal(status, (await node.SendAsync("POST", $"/caught/{path}", "", "k")).Status);
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [Theory, EachDatabase]
    public async Task A_handler_with_a_transaction_of_its_own_is_told_so(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            await using var transaction = await shop.Database.BeginTransactionAsync();
        }).HonorsIdempotencyKey(), new KeyedNodeSetup { Before = failures.Watch, Retries = true });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("begins no transaction", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [Theory, EachDatabase]
    public async Task A_handler_that_ends_the_transaction_gets_no_success(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            await shop.Database.CommitTransactionAsync();
        }).HonorsIdempotencyKey(), new KeyedNodeSetup { Before = failures.Watch });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("ended the transaction", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal(409, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(1, _ran);
    }

    [FactIfPostgres]
    public async Task A_handler_that_saves_again_after_a_lost_connection_stores_nothing()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            if (_ran++ > 0)
            {
                shop.Add(new Purchase { Text = "second" });
                await shop.SaveChangesAsync();
                return;
            }

            shop.Add(new Purchase { Text = "first" });
            await PostgresServer.RunAsync(database.ConnectionString, $"SELECT pg_terminate_backend({((NpgsqlConnection)shop.Database.GetDbConnection()).ProcessID})");
            for (var tries = 3; tries > 0; tries--)
            {
                try
                {
                    await shop.SaveChangesAsync();
                    break;
                }
                catch (Exception) when (tries > 1)
                {
                    // As a retry loop does.
                }
            }
        }).HonorsIdempotencyKey(), new KeyedNodeSetup { Before = failures.Watch });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("ended before the handler did", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal(("", 0), await node.StoredAsync());
        Assert.Equal(200, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(("second", 1), await node.StoredAsync());
    }

    [Theory, EachDatabase]
    public async Task What_a_handler_saves_after_it_has_ended_the_transaction_is_refused(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            await shop.Database.RollbackTransactionAsync();
            shop.ChangeTracker.Clear();
            await SaveAsync(shop);
        }).HonorsIdempotencyKey());

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [FactIfPostgres]
    public async Task A_commit_that_lost_its_answer_does_not_run_the_handler_again()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, Buy, new KeyedNodeSetup
        {
            Retries = true,
            Interceptors = [new AtCommit { After = static () => throw new NpgsqlException("lost", new IOException("lost")) }],
        });

        Assert.Equal(502, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal("true", (await node.BuyAsync("a book", "k")).Headers["Idempotent-Replayed"]);
        Assert.Equal(1, _ran);
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [FactIfPostgres]
    public async Task A_commit_that_fails_leaves_neither_write_nor_answer()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, Buy, new KeyedNodeSetup
        {
            Retries = true,
            Interceptors = [new AtCommit
            {
                Before = connection => PostgresServer.RunAsync(database.ConnectionString, $"SELECT pg_terminate_backend({((NpgsqlConnection)connection).ProcessID})"),
            }],
        });

        Assert.Equal(502, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal((1, ("", 0)), (_ran, await node.StoredAsync()));
        Assert.False((await node.BuyAsync("a book", "k")).Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal((2, ("a book", 1)), (_ran, await node.StoredAsync()));
    }

    [Theory, EachDatabase]
    public async Task A_lease_that_is_lost_while_the_handler_runs_leaves_nothing(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        KeyedNode? node = null;
        await using var started = node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            node!.Leadership.Follow("http://next.example", epoch: 2);
        }).HonorsIdempotencyKey());

        var refused = await node.BuyAsync("a book", "k");
        Assert.Equal((307, "http://next.example/buy"), (refused.Status, refused.Headers["Location"]));
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [FactIfPostgres]
    public async Task A_failure_before_the_handler_is_repeated_by_the_strategy()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        var faulty = new FailsOnce();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, Buy, new KeyedNodeSetup { Retries = true, Interceptors = [faulty] });

        Assert.Equal(200, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal((1, true), (_ran, faulty.HasFailed));
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [FactIfPostgres]
    public async Task A_handler_may_catch_what_the_database_refuses_and_go_on()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            try
            {
                shop.ChangeTracker.Clear();
                shop.Add(new Purchase { Id = (await shop.Purchases.AsNoTracking().SingleAsync()).Id, Text = "again" });
                await shop.SaveChangesAsync();
            }
            catch (DbUpdateException)
            {
                return Results.Problem("twice", statusCode: 400);
            }

            return Results.Ok();
        }).HonorsIdempotencyKey());

        Assert.Equal(400, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [Fact]
    public async Task Each_user_has_keys_of_his_own()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, Later, new KeyedNodeSetup { Before = SignIn });

        Assert.Equal("one 1", (await node.SendAsync("POST", "/buy?user=one", "", "k")).Body);
        Assert.Equal("two 2", (await node.SendAsync("POST", "/buy?user=two", "", "k")).Body);
        Assert.Equal("one 1", (await node.SendAsync("POST", "/buy?user=one", "", "k")).Body);
        Assert.Equal(2, _ran);
    }

    [Fact]
    public async Task A_user_without_a_name_cannot_have_a_key()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, Buy, new KeyedNodeSetup
        {
            Before = app =>
            {
                failures.Watch(app);
                SignIn(app);
            },
        });

        Assert.Equal(500, (await node.SendAsync("POST", "/buy?user=", "", "k")).Status);
        Assert.Contains("HaIdempotencyOptions.User", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal(0, _ran);
    }

    [Fact]
    public async Task Answers_are_not_given_before_authorization()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app =>
        {
            app.UseAuthorization();
            app.MapPost("/buy", () => "bought").HonorsIdempotencyKey().RequireAuthorization();
        }, new KeyedNodeSetup { Before = failures.Watch, Builder = builder => builder.Services.AddAuthorization().AddAuthentication() });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("UseAuthorization", Assert.Single(failures.All).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nor_where_only_the_fallback_policy_asks_for_it()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app =>
        {
            app.UseAuthorization();
            app.MapPost("/buy", () => "bought").HonorsIdempotencyKey();
        }, new KeyedNodeSetup
        {
            Before = failures.Watch,
            Builder = builder => builder.Services
                .AddAuthorization(options => options.FallbackPolicy = new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build()).AddAuthentication(),
        });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("UseAuthorization", Assert.Single(failures.All).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_must_stand_behind_UseHa(bool behind)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using (var shop = KeyedNode.Open(database.ConnectionString))
        {
            await shop.Database.EnsureCreatedAsync();
        }

        using var leadership = new FakeLeadership("node", TimeProvider.System);
        var builder = WebApplication.CreateBuilder();

        // Not the test server: its stop does not wait for what a request does in the database after its answer.
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHa(options =>
        {
            options.NodeId = "node";
            options.LocalTarget = "http://127.0.0.1:1";
        });
        builder.Services.AddSingleton<ILeaderProvider>(leadership);
        builder.Services.AddDbContext<KeyedShop>((services, options) => options.UseSqlite(database.ConnectionString).UseHaFence(services));
        await using var app = builder.Build();
        var failures = new SeenFailures();
        failures.Watch(app);
        app.UseRouting();
        if (behind)
        {
            app.UseHa();
        }

        app.UseHaIdempotency<KeyedShop>();
        if (!behind)
        {
            app.UseHa();
        }

        Buy(app);
        await app.StartAsync();
        leadership.Lead();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/buy");
        request.Headers.Add("Idempotency-Key", "k");
        using var answer = await client.SendAsync(request);
        Assert.Equal(behind ? 200 : 500, (int)answer.StatusCode);
        if (behind)
        {
            Assert.Empty(failures.All);
        }
        else
        {
            Assert.Contains("after UseHa()", Assert.IsType<InvalidOperationException>(Assert.Single(failures.All)).Message, StringComparison.Ordinal);
        }

        await app.StopAsync();
    }

    [Fact]
    public async Task A_request_goes_through_it_once()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app =>
        {
            app.UseHaIdempotency<OtherShop>();
            Buy(app);
        }, new KeyedNodeSetup
        {
            Before = failures.Watch,
            Builder = builder => builder.Services.AddDbContext<OtherShop>((services, options) => options.UseSqlite("Data Source=:memory:").UseHaFence(services)),
        });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("twice", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal((0, ("", 0)), (_ran, await node.StoredAsync()));
    }

    /// <summary>A payment provider takes longer than a transaction behind the fence may stand idle.</summary>
    [FactIfPostgres]
    public async Task A_handler_may_take_its_time_before_its_first_write()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            Assert.Equal("1min", await LimitAsync(shop));
            await shop.Database.ExecuteSqlAsync($"SET LOCAL application_name = 'a write'");
            Assert.Equal("20s", await LimitAsync(shop));
            await SaveAsync(shop);
        }).HonorsIdempotencyKey(), new KeyedNodeSetup { Fence = fence => fence.IdleLimit = TimeSpan.FromSeconds(20) });

        Assert.Equal(200, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(("a book", 1), await node.StoredAsync());
    }

    [FactIfPostgres]
    public async Task A_handler_that_stands_too_long_after_it_is_told_so()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, app => app.MapPost("/buy", async (KeyedShop shop) =>
        {
            await SaveAsync(shop);
            var session = ((NpgsqlConnection)shop.Database.GetDbConnection()).ProcessID;
            await Eventually.True(async () => await PostgresServer.RunAsync(
                database.ConnectionString, $"SELECT count(*) FROM pg_stat_activity WHERE pid = {session}") is 0L);
            await SaveAsync(shop);
        }).HonorsIdempotencyKey(), new KeyedNodeSetup { Before = failures.Watch, Fence = fence => fence.IdleLimit = TimeSpan.FromMilliseconds(100) });

        Assert.Equal(500, (await node.BuyAsync("a book", "k")).Status);
        Assert.Contains("HaFenceOptions.IdleLimit", Assert.Single(failures.All).Message, StringComparison.Ordinal);
        Assert.Equal(("", 0), await node.StoredAsync());
    }

    [Fact]
    public async Task A_context_without_the_table_stops_the_start()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddDbContext<Shop>(options => options.UseSqlite("Data Source=:memory:"));
        await using var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.UseHaIdempotency<Shop>();
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync());
        Assert.Contains("UseHaFence", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transient_context_stops_the_start()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddHa();
        builder.Services.AddDbContext<KeyedShop>((services, options) => options.UseSqlite("Data Source=:memory:").UseHaFence(services), ServiceLifetime.Transient);
        await using var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.UseHaIdempotency<KeyedShop>();
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync());
        Assert.Contains("transient", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, 500)]
    [InlineData(true, 200)]
    public async Task A_body_that_was_read_before_is_not_taken_for_an_empty_one(bool buffered, int status)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        var failures = new SeenFailures();
        await using var node = await KeyedNode.StartAsync(database.ConnectionString, Buy, new KeyedNodeSetup
        {
            Before = app =>
            {
                failures.Watch(app);
                app.Use(async (http, next) =>
                {
                    if (buffered)
                    {
                        http.Request.EnableBuffering();
                    }

                    await http.Request.Body.CopyToAsync(Stream.Null);
                    await next();
                });
            },
        });

        Assert.Equal(status, (await node.BuyAsync("a book", "k")).Status);
        Assert.Equal(buffered ? 422 : 500, (await node.BuyAsync("a pen", "k")).Status);
        Assert.All(failures.All, failure => Assert.Contains("reads the body", failure.Message, StringComparison.Ordinal));
        Assert.Equal((buffered ? "a book" : "", buffered ? 1 : 0), await node.StoredAsync());
    }

    private void Buy(WebApplication app) => app.MapPost("/buy", (KeyedShop shop) => SaveAsync(shop)).HonorsIdempotencyKey();

    private void Later(WebApplication app) => app.MapPost("/buy", async (HttpContext http, KeyedShop shop) =>
    {
        await SaveAsync(shop);
        return $"{http.User.Identity!.Name} {_ran}";
    }).HonorsIdempotencyKey();

    private async Task SaveAsync(KeyedShop shop)
    {
        _ran++;
        shop.Add(new Purchase { Text = "a book" });
        await shop.SaveChangesAsync();
    }

    private static Task<string> LimitAsync(KeyedShop shop) =>
        shop.Database.SqlQuery<string>($"SELECT current_setting('idle_in_transaction_session_timeout') AS \"Value\"").SingleAsync();

    private static void SignIn(WebApplication app) => app.Use((http, next) =>
    {
        var name = http.Request.Query["user"].ToString();
        http.Request.QueryString = QueryString.Empty;
        http.User = new ClaimsPrincipal(new ClaimsIdentity(name.Length == 0 ? [] : [new Claim(ClaimTypes.Name, name)], "test"));
        return next(http);
    });

    /// <summary>As a lost connection looks, at the first statement that takes a key.</summary>
    private sealed class FailsOnce : DbCommandInterceptor
    {
        private int _inserts;

        public bool HasFailed => _inserts > 1;

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
            command.CommandText.Contains("ON CONFLICT", StringComparison.Ordinal) && ++_inserts == 1
                ? throw new NpgsqlException("lost", new IOException("lost"))
                : ValueTask.FromResult(result);
    }

    /// <summary>A second context.</summary>
    private sealed class OtherShop(DbContextOptions<OtherShop> options) : DbContext(options);

    /// <summary>Finds the one controller that it is about.</summary>
    private sealed class Only : IApplicationFeatureProvider<ControllerFeature>
    {
        public void PopulateFeature(IEnumerable<ApplicationPart> parts, ControllerFeature feature)
        {
            feature.Controllers.Clear();
            feature.Controllers.Add(System.Reflection.IntrospectionExtensions.GetTypeInfo(typeof(CaughtController)));
        }
    }

    [ApiController]
    [Route("caught")]
    private sealed class CaughtController(KeyedShop shop) : ControllerBase
    {
        [HttpPost("notleader"), HonorsIdempotencyKey]
        public Task NotLeaderAsync() => RefuseAsync(new NotLeaderException());

        [HttpPost("unknown"), HonorsIdempotencyKey]
        public Task UnknownAsync() => RefuseAsync(new OutcomeUnknownException());

        private async Task RefuseAsync(Exception refusal)
        {
            shop.Add(new Purchase { Text = "caught" });
            await shop.SaveChangesAsync();
            throw refusal;
        }
    }
}
