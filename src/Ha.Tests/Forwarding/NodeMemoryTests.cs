using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Forwarding;

/// <summary>What a node keeps in memory while leadership moves; docs/applications.md says what to do.</summary>
public sealed class NodeMemoryTests
{
    [Fact]
    public async Task A_leader_that_comes_back_answers_what_it_kept_unless_the_epoch_is_a_part_of_the_key()
    {
        var balance = 1;
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            AfterRouting = true,
            Builder = builder => builder.Services.AddOutputCache(),
            App = app =>
            {
                app.UseOutputCache();
                app.MapGet("/kept", () => $"{balance}").RequireLeader().CacheOutput();
                app.MapGet("/balance", () => $"{balance}").RequireLeader().CacheOutput(
                    cache => cache.VaryByValue(http => KeyValuePair.Create("epoch", $"{http.Features.Get<IHaFeature>()?.Epoch}")));
            },
        });
        using var client = TestNode.Client();
        node.Leadership.Lead(epoch: 1);
        Assert.Equal("1 1", await BothAsync());
        balance = 2;
        Assert.Equal("1 1", await BothAsync());

        node.Leadership.Follow("http://leader.example", epoch: 2);
        balance = 3;
        node.Leadership.Lead(epoch: 3);

        Assert.Equal("1 3", await BothAsync());

        async Task<string> BothAsync() => $"{await client.GetStringAsync(node.Url + "/kept")} {await client.GetStringAsync(node.Url + "/balance")}";
    }

    [Theory]
    [InlineData(false, "nothing")]
    [InlineData(true, "a book")]
    public async Task A_read_on_another_node_finds_the_session_where_the_nodes_share_a_cache(bool shared, string found)
    {
        var keys = new EphemeralDataProtectionProvider();
        var cache = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions()));
        var setup = new TestNodeSetup
        {
            Builder = builder =>
            {
                builder.Services.AddSingleton<IDataProtectionProvider>(keys).AddDistributedMemoryCache().AddSession();
                if (shared)
                {
                    builder.Services.AddSingleton<IDistributedCache>(cache);
                }
            },
            App = app =>
            {
                app.UseSession();
                app.MapPost("/basket", (HttpContext http) => http.Session.SetString("basket", "a book"));
                app.MapGet("/basket", (HttpContext http) => http.Session.GetString("basket") ?? "nothing");
            },
        };
        await using var leader = await TestNode.LeaderAsync(setup.App, setup);
        await using var follower = await TestNode.ProxyAsync(leader.Url, setup);
        using var client = new HttpClient();

        using var put = await client.PostAsync(follower.Url + "/basket", content: null);
        Assert.Equal(found, await client.GetStringAsync(follower.Url + "/basket"));
    }

    [Fact]
    public async Task Reads_are_counted_by_each_node_and_writes_by_each_leader()
    {
        var setup = new TestNodeSetup
        {
            AfterRouting = true,
            Builder = builder => builder.Services.AddRateLimiter(limiter => limiter.AddFixedWindowLimiter(
                "one", window => (window.PermitLimit, window.Window) = (1, TimeSpan.FromHours(1)))),
            App = app =>
            {
                app.UseRateLimiter();
                app.MapGet("/x", () => "").RequireRateLimiting("one");
                app.MapPost("/x", () => "").RequireRateLimiting("one");
            },
        };
        await using var first = await TestNode.LeaderAsync(setup.App, setup);
        await using var second = await TestNode.ProxyAsync(first.Url, setup);
        using var client = TestNode.Client();

        Assert.Equal(HttpStatusCode.OK, await AskAsync(HttpMethod.Post));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(HttpMethod.Post));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(HttpMethod.Get));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await AskAsync(HttpMethod.Get));

        await using var next = await TestNode.LeaderAsync(setup.App, setup);
        second.Leadership.Follow(next.Url, epoch: 2);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(HttpMethod.Post));

        async Task<HttpStatusCode> AskAsync(HttpMethod method)
        {
            using var request = new HttpRequestMessage(method, second.Url + "/x");
            using var answer = await client.SendAsync(request);
            return answer.StatusCode;
        }
    }
}
