using Ha.Tests.OnTheWire;
using Ha.Tests.Support;

namespace Ha.Tests.Fencing;

/// <summary>The recipe for ADO.NET and Dapper in docs/applications.md, word for word.</summary>
[Collection(DatabaseTests.Name)]
public sealed class OrdersTests(PostgresServer server)
{
    [Fact]
    public void The_documented_recipe_is_the_tried_one()
    {
        var recipe = Repository.Read("src/Ha.Tests/Fencing/Orders.cs");
        Assert.Contains(recipe[recipe.IndexOf("internal sealed", StringComparison.Ordinal)..], Repository.Read("docs/applications.md"), StringComparison.Ordinal);
    }

    [FactIfPostgres]
    public async Task Orders_are_stored_under_the_newest_epoch_only()
    {
        await using var bed = await BedAsync();
        var orders = new Orders(bed.Fence, bed.Source, new StaticLeader("a"));
        using (LeaderScope.Enter(new Permit(5)))
        {
            Assert.Equal(1, await orders.AddAsync("a book"));
            await orders.AddOnceAsync("a pen");
            await orders.AddOnceAsync("a pen");
        }

        using (LeaderScope.Enter(new Permit(4)))
        {
            await Assert.ThrowsAsync<NotLeaderException>(() => orders.AddAsync("a book"));
            await Assert.ThrowsAsync<NotLeaderException>(() => orders.AddOnceAsync("a car"));
        }

        Assert.Equal((2, 5L), (await bed.NumberAsync("SELECT count(*) FROM orders"), await bed.StoredAsync()));
    }

    [FactIfPostgres]
    public async Task A_node_that_does_not_lead_does_not_even_ask()
    {
        await using var bed = await BedAsync();
        var orders = new Orders(bed.Fence, bed.Source, new StaticLeader("b", "http://a"));
        Assert.Equal("http://a", (await Assert.ThrowsAsync<NotLeaderException>(() => orders.AddAsync("a book"))).LeaderUrl);
    }

    [FactIfPostgres]
    public async Task A_commit_of_ours_without_an_answer_has_an_unknown_outcome()
    {
        ArmedFlow up = new(), down = new();
        await using var relay = new Relay(server.Port, _ => (up, down));
        await using var bed = await BedAsync(relay.Port);
        var orders = new Orders(bed.Fence, bed.Source, new StaticLeader("a"));
        using var scope = LeaderScope.Enter(new Permit(5) { Looked = () => down.CutAfter(1, Cut.Reset) });
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => orders.AddOnceAsync("a book"));
        Assert.Equal(1, await bed.NumberAsync("SELECT count(*) FROM orders"));
    }

    private async Task<FenceBed> BedAsync(int? port = null)
    {
        var bed = await FenceBed.PostgresAsync(server, settings: "Maximum Pool Size=1;", port: port);
        await bed.RunAsync("CREATE TABLE orders (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL)");
        return bed;
    }
}
