using Ha.Tests.Support;

namespace Ha.Tests.Leadership;

/// <summary>Without dependency injection: how an election ends, and how leadership is given away.</summary>
public class LuxLeaderEndTests
{
    [Fact]
    public async Task Disposing_of_a_leader_hands_over_and_tells_the_others_first()
    {
        await using var cluster = await LedAsync();
        var a = cluster["a"];

        await a.DisposeAsync();

        Assert.False(a.IsLeader);
        Assert.All([cluster["b"], cluster["c"]], other => Assert.NotEqual("a", other.Current.LeaderId));
        await Eventually.True(() => cluster["b"].IsLeader || cluster["c"].IsLeader);
    }

    [Fact]
    public async Task A_stop_gives_leadership_away_for_good_while_the_node_still_answers()
    {
        await using var cluster = await LedAsync();
        var a = cluster["a"];

        await a.StopAsync();

        Assert.False(a.IsLeader);
        Assert.True(a.Current.Draining);
        await Eventually.True(() => a.RedirectTarget is "http://public-b" or "http://public-c");
    }

    [Fact]
    public async Task Disposing_after_a_stop_leaves_the_successor_alone()
    {
        await using var cluster = await LedAsync();
        await cluster["a"].StopAsync();
        await Eventually.True(() => cluster["b"].IsLeader || cluster["c"].IsLeader);
        var successor = cluster["b"].IsLeader ? cluster["b"] : cluster["c"];
        var led = successor.Current;

        await cluster["a"].StopAsync();
        await cluster["a"].DisposeAsync();

        Assert.True(led.IsLeader);
        Assert.Equal(led.Epoch, successor.Current.Epoch);
    }

    [Fact]
    public async Task A_stop_with_a_stuck_writer_ends_with_its_token()
    {
        await using var cluster = await LedAsync();
        var a = cluster["a"];
        a.Election.Gate.Enter();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => a.StopAsync(new CancellationToken(canceled: true)));

        Assert.True(a.IsLeader);
        a.Election.Gate.Exit();
        await Eventually.True(() => cluster["b"].IsLeader || cluster["c"].IsLeader);
    }

    [Fact]
    public async Task Disposing_at_once_releases_nothing_and_leads_no_more()
    {
        await using var cluster = await LedAsync();
        var a = cluster["a"];
        var led = a.Current;

        a.Dispose();

        Assert.False(a.IsLeader);
        Assert.False(led.IsLeader);
        Assert.True(led.LeaseLost.IsCancellationRequested);
        Assert.Null(a.RedirectTarget);
        Assert.Equal("a", cluster["b"].Current.LeaderId);
        await a.StopAsync().WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_wait_for_a_leader_ends_with_the_election()
    {
        var cluster = new LuxCluster("a", "b", "c");
        var alone = cluster.Start("a");
        var waiting = alone.WaitForLeaderAsync();

        alone.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(30)));
        await alone.Ready.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_step_down_says_whether_it_has_begun()
    {
        await using var cluster = await LedAsync();

        Assert.False(cluster["b"].TryStepDown());
        Assert.False(cluster["a"].TryStepDown("nobody"));

        // As soon as a has heard that c may lead.
        await Eventually.True(() => cluster["a"].TryStepDown("c"));
        await Eventually.True(() => cluster["c"].IsLeader);
    }

    /// <summary>A cluster that a leads, as all know.</summary>
    private static async Task<LuxCluster> LedAsync()
    {
        var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].IsLeader && cluster.All.All(node => node.Current.LeaderId == "a"));
        return cluster;
    }
}
