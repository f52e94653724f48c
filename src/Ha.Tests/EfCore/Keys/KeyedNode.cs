using System.Text;
using Ha.EntityFrameworkCore;
using Ha.EntityFrameworkCore.Idempotency;
using Ha.Tests.Example;
using Ha.Tests.Forwarding;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.EfCore.Keys;

/// <summary>One node with <c>UseHaIdempotency</c> over a database that others may share.</summary>
internal sealed class KeyedNode : IAsyncDisposable
{
    private static readonly IServiceProvider _noServices = new ServiceCollection().BuildServiceProvider();
    private readonly TestNode _node;
    private readonly HttpClient _http = TestNode.Client();

    private KeyedNode(TestNode node, string database)
    {
        _node = node;
        Database = database;
        _http.BaseAddress = new Uri(node.Url);
    }

    public FakeLeadership Leadership => _node.Leadership;

    public string Database { get; }

    /// <summary>Leads, with the given endpoints; the tables are made.</summary>
    public static async Task<KeyedNode> StartAsync(string database, Action<WebApplication> app, KeyedNodeSetup? setup = null)
    {
        setup ??= new KeyedNodeSetup();
        await using (var shop = Open(database))
        {
            await shop.Database.EnsureCreatedAsync();
        }

        var node = await TestNode.StartAsync(new TestNodeSetup
        {
            AfterRouting = true,
            Options = options => options.WriteHold = TimeSpan.Zero,
            Builder = builder =>
            {
                builder.Services.AddSingleton<ILeaderProvider>(new StaticLeader("node"));
                builder.Services.AddDbContext<KeyedShop>((services, options) => Use(options, database, setup.Retries).UseHaFence(services, setup.Fence).AddInterceptors(setup.Interceptors));
                if (setup.Clock is not null)
                {
                    builder.Services.AddSingleton(setup.Clock);
                }

                setup.Builder(builder);
            },
            App = web =>
            {
                setup.Before(web);
                web.UseHaIdempotency<KeyedShop>(setup.Options);
                app(web);
            },
        });
        node.Leadership.Lead();
        var keyed = new KeyedNode(node, database);
        if (setup.AcceptEncoding is not null)
        {
            keyed._http.DefaultRequestHeaders.Add("Accept-Encoding", setup.AcceptEncoding);
        }

        return keyed;
    }

    public static KeyedShop Open(string database) => new((DbContextOptions<KeyedShop>)Use(new DbContextOptionsBuilder<KeyedShop>(), database).UseHaFence(_noServices).Options);

    public async Task<Reply> SendAsync(string method, string path, string? body, params string[] keys)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent(body ?? "", Encoding.UTF8, "text/plain") };
        if (keys.Length > 0)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", keys);
        }

        using var answer = await _http.SendAsync(request);
        return new Reply((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType ?? "", await answer.Content.ReadAsStringAsync(),
            answer.Headers.Concat(answer.Content.Headers).ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase));
    }

    public Task<Reply> BuyAsync(string text, params string[] keys) => SendAsync("POST", "/buy", text, keys);

    /// <summary>What was bought, and how many answers are kept.</summary>
    public async Task<(string Bought, int Kept)> StoredAsync()
    {
        await using var shop = Open(Database);
        return (string.Join(',', await shop.Purchases.OrderBy(purchase => purchase.Id).Select(purchase => purchase.Text).ToListAsync()),
            await shop.Set<Dictionary<string, object>>(AnswersTable.Entity).CountAsync());
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _node.DisposeAsync();
    }

    private static DbContextOptionsBuilder Use(DbContextOptionsBuilder options, string database, bool retries = false) =>
        database.StartsWith("Host=", StringComparison.Ordinal)
            ? options.UseNpgsql(database, npgsql => _ = retries ? npgsql.EnableRetryOnFailure() : npgsql)
            : options.UseSqlite(database);
}

/// <summary>How a node differs from the plain one.</summary>
internal sealed record KeyedNodeSetup
{
    public Action<HaIdempotencyOptions> Options { get; init; } = static _ => { };

    public Action<HaFenceOptions> Fence { get; init; } = static _ => { };

    public string? AcceptEncoding { get; init; }

    public Action<WebApplicationBuilder> Builder { get; init; } = static _ => { };

    public Action<WebApplication> Before { get; init; } = static _ => { };

    public IInterceptor[] Interceptors { get; init; } = [];

    public TimeProvider? Clock { get; init; }

    public bool Retries { get; init; }
}
