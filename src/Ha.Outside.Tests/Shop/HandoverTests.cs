using System.Net;
using Ha.Outside.Tests.Support;
using Ha.Testing;

namespace Ha.Outside.Tests.Shop;

/// <summary>Leadership goes to another node while an order runs.</summary>
public class HandoverTests
{
    [Fact]
    public async Task A_running_order_is_finished_first_and_the_next_one_is_sent_on()
    {
        using var database = new TempDatabase();
        var leadership = new FakeLeadership();
        await using var app = new ShopApp(leadership, database);
        using var client = app.Client();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        app.OnTake = () => goOn.Task;
        var running = client.PostAsync("/orders/book", null);
        await app.OrderBegan;

        var handover = leadership.HandOverAsync("b");
        var next = client.PostAsync("/orders/pen", null);
        Assert.Equal("draining\n", await ReadAsync(client, "/_ha/healthz/ready"));
        Assert.True(leadership.IsLeader);           // for as long as the order runs
        Assert.False(handover.IsCompleted);
        Assert.False(next.IsCompleted);             // it waits for whoever leads next

        goOn.SetResult();
        using var finished = await running;
        await handover;
        using var sentOn = await next;
        Assert.Equal(HttpStatusCode.OK, finished.StatusCode);
        Assert.Equal("http://b.example/orders/pen", sentOn.Headers.Location!.ToString());
        Assert.Equal(["book"], (await app.Book.AllAsync()).Select(order => order.Item));
    }

    [Fact]
    public async Task A_leadership_that_comes_back_in_the_middle_of_an_order_is_another_one()
    {
        using var database = new TempDatabase();
        var leadership = new FakeLeadership();
        await using var app = new ShopApp(leadership, database);
        using var client = app.Client();
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        app.OnTake = () => goOn.Task;
        var order = client.PostAsync("/orders/book", null);
        await app.OrderBegan;

        leadership.Lose();
        goOn.SetResult();
        await app.OrderEndedAsync();
        await leadership.LeadAsync();

        // It was refused under the old leadership, and a handler that has refused is not run again on the same node.
        using var refused = await order;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", Assert.Single(refused.Headers.GetValues("X-Base-Not-Executed")));
        using var again = await client.PostAsync("/orders/book", null);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal(2, Assert.Single(await app.Book.AllAsync()).Epoch);
    }

    [Fact]
    public async Task An_order_waits_while_nobody_is_known_to_lead()
    {
        using var database = new TempDatabase();
        var leadership = new FakeLeadership();
        leadership.Lose();
        await using var app = new ShopApp(leadership, database);
        using var client = app.Client();

        var order = client.PostAsync("/orders/book", null);
        using var read = await client.GetAsync("/orders");
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        Assert.Equal("ok\n", await ReadAsync(client, "/_ha/healthz/ready"));
        Assert.Equal("not leader\n", await ReadAsync(client, "/_ha/healthz/leader"));
        Assert.False(order.IsCompleted);

        await leadership.LeadAsync(epoch: 7);
        using var answer = await order;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(7, Assert.Single(await app.Book.AllAsync()).Epoch);
    }

    private static async Task<string> ReadAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return await answer.Content.ReadAsStringAsync();
    }
}
