namespace Ha.Tests.Leadership;

public class StaticLeaderTests
{
    [Fact]
    public async Task Without_a_url_this_node_leads_in_epoch_zero()
    {
        var leader = new StaticLeader("n1");
        Assert.True(leader.IsLeader);
        Assert.Null(leader.RedirectTarget);
        Assert.Equal(0, leader.Current.Epoch);
        Assert.False(leader.Current.LeaseLost.IsCancellationRequested);
        Assert.Equal(Timeout.InfiniteTimeSpan, leader.Current.LeaseRemaining);
        await leader.Ready;
        Assert.Same(leader.Current, await leader.WaitForLeaderAsync());
    }

    [Theory]
    [InlineData("http://HOST:80/", "http://host", true)]
    [InlineData("http://host:8080", "http://host", false)]
    [InlineData("http://host", null, false)]
    public void It_leads_when_the_leader_is_its_own_target(string leaderUrl, string? localTarget, bool leads)
    {
        var leader = new StaticLeader("n1", leaderUrl, localTarget);
        Assert.Equal(leads, leader.IsLeader);
        Assert.Equal(leads ? null : leader.Current.LeaderUrl, leader.RedirectTarget);
        Assert.Equal(leads, !leader.Current.LeaseLost.IsCancellationRequested);
    }

    [Fact]
    public void A_leader_url_that_is_no_base_url_is_refused() =>
        Assert.Throws<ArgumentException>(() => new StaticLeader("n1", "host:80/path?x"));
}
