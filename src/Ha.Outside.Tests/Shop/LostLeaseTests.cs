using System.Net;
using Ha.Outside.Tests.Support;
using Ha.Testing;

namespace Ha.Outside.Tests.Shop;

/// <summary>The lease goes away between an order's check and its commit.</summary>
public class LostLeaseTests
{
    [Fact]
    public async Task An_order_whose_lease_ends_before_its_commit_is_refused_and_not_stored()
    {
        using var database = new TempDatabase();
        var leadership = new FakeLeadership();
        await using var app = new ShopApp(leadership, database);
        using var client = app.Client();
        app.OnTake = () =>
        {
            leadership.Lose();
            return Task.CompletedTask;
        };

        var order = client.PostAsync("/orders/book", null);
        await app.OrderEndedAsync();
        await leadership.FollowAsync("b");          // until now it waited: nobody was known to lead
        using var answer = await order;

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal("http://b.example/orders/book", answer.Headers.Location!.ToString());
        Assert.Empty(await app.Book.AllAsync());
    }

    [Fact]
    public async Task An_order_on_a_node_that_was_paused_before_its_commit_is_refused()
    {
        using var database = new TempDatabase();
        var leadership = new FakeLeadership();
        await using var app = new ShopApp(leadership, database);
        using var client = app.Client();
        app.OnTake = () =>
        {
            leadership.Pause();                     // nobody is told; the check before the commit finds out
            return Task.CompletedTask;
        };

        var order = client.PostAsync("/orders/book", null);
        await app.OrderEndedAsync();
        await leadership.FollowAsync("b");
        using var answer = await order;

        Assert.Equal("http://b.example/orders/book", answer.Headers.Location!.ToString());
        Assert.Empty(await app.Book.AllAsync());
    }

    [Fact]
    public async Task The_fence_refuses_what_an_old_leader_still_writes()
    {
        using var database = new TempDatabase();
        var leadership = new FakeLeadership();
        await using var app = new ShopApp(leadership, database);
        using var client = app.Client();
        var taken = 0;
        app.OnTake = () =>
        {
            taken++;
            return Task.CompletedTask;
        };

        // A repository is tested without HTTP: what it calls runs under the leadership of now.
        using (LeaderScope.Enter(LeaderScope.For(leadership)))
        {
            Assert.Equal(1, (await app.Book.AddAsync("book")).Epoch);

            await leadership.FollowAsync("b", epoch: 2);
            await Assert.ThrowsAsync<NotLeaderException>(() => app.Book.AddAsync("pen"));
        }

        // Refused by the database, at the order's first look: it never came to the store-house, let alone to its commit.
        Assert.Equal(1, taken);
        Assert.Equal(["book"], (await app.Book.AllAsync()).Select(order => order.Item));
    }
}
