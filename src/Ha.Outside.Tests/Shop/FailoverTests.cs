using System.Net;
using System.Net.Http.Json;
using Ha.Outside.Tests.Support;
using Ha.Testing;
using Shop;

namespace Ha.Outside.Tests.Shop;

/// <summary>Three applications over one database, with a real election among them on virtual time.</summary>
public class FailoverTests
{
    private static readonly TimeSpan _within = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(TestArbiter.Peers)]
    [InlineData(TestArbiter.LeaseStore)]
    public async Task Orders_follow_the_leader_through_its_crash(TestArbiter arbiter)
    {
        using var database = new TempDatabase();
        using var cluster = new TestCluster(["a", "b", "c"], arbiter);
        await using var apps = new ShopCluster(cluster, database);
        await apps.StartAsync();
        var first = cluster.ExpectOneLeader(_within);
        var other = cluster.Nodes.First(node => node != first);
        var before = await apps.OrderAsync(at: other, "book");

        first.Kill();
        var second = cluster.ExpectOneLeader(_within);
        var last = cluster.Nodes.Single(node => node != first && node != second);
        var after = await apps.OrderAsync(at: last, "pen");

        Assert.True(after.Epoch > before.Epoch);
        Assert.Equal([before, after], await apps[second].Book.AllAsync());
        cluster.ExpectNeverTwoLeaders();
        cluster.ExpectRisingEpochs();
    }

    /// <summary>The applications by node, and a client that follows redirects among them.</summary>
    private sealed class ShopCluster(TestCluster cluster, TempDatabase database) : IAsyncDisposable
    {
        private readonly Dictionary<string, ShopApp> _apps = cluster.Nodes.ToDictionary(node => node.Url, node => new ShopApp(node, database));

        public ShopApp this[TestNode node] => _apps[node.Url];

        /// <summary>Before any time passes: a leader raises the fence of the application that it has by then.</summary>
        public Task StartAsync() => Task.WhenAll(_apps.Values.Select(app => Task.Run(app.StartServer)));

        public async Task<Order> OrderAsync(TestNode at, string item)
        {
            using var asked = this[at].Client();
            using var redirect = await asked.PostAsync($"/orders/{item}", null);
            Assert.Equal(HttpStatusCode.TemporaryRedirect, redirect.StatusCode);
            Assert.Equal($"{cluster.Leader!.Url}/orders/{item}", redirect.Headers.Location!.ToString());

            using var leader = _apps[redirect.Headers.Location.GetLeftPart(UriPartial.Authority)].Client();
            using var answer = await leader.PostAsync(redirect.Headers.Location.PathAndQuery, null);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return (await answer.Content.ReadFromJsonAsync<Order>())!;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var app in _apps.Values)
            {
                await app.DisposeAsync();
            }
        }
    }
}
