using Ha.Leadership;
using Ha.Tests.Election;

namespace Ha.Tests.Leadership;

/// <summary>A follower's snapshot outlives the lease that it shows.</summary>
public class LapsedViewTests
{
    private readonly Cores _cores = new(majority: true, awaitFloor: false, "a", "b", "c");
    private readonly LeadershipPublisher _ofB;

    public LapsedViewTests()
    {
        _cores.Run(8 * Cores.Lease, () => _cores["b"].LeaderSeenAt(_cores.Now)?.Id == "a");
        _ofB = new LeadershipPublisher("b", _cores.ConfigOf("b").Target, "http://public-b", TimeSpan.FromSeconds(1), new CoresClock(_cores));
        Publish();
    }

    [Fact]
    public void It_names_nobody_from_the_end_of_the_lease_on()
    {
        var seen = _ofB.Current;
        Assert.Equal(("a", "http://a"), (seen.LeaderId, seen.RedirectTarget));

        _cores.Sleep(Cores.Lease);

        Assert.False(seen.KnowsLeader);
        Assert.Null(seen.RedirectTarget);
    }

    /// <summary>Whoever has looked in between waits for a change.</summary>
    [Fact]
    public void A_lease_that_ran_out_and_came_back_in_one_step_is_announced()
    {
        var late = _cores.Beat("a", "b");
        var change = _ofB.ChangeToken;
        Publish();
        Assert.False(change.HasChanged);

        _cores.Sleep(Cores.Lease);
        _cores.Take("b", late);
        Publish();

        Assert.True(change.HasChanged);
        Assert.Equal("http://a", _ofB.Current.RedirectTarget);
    }

    private void Publish() => _ofB.PublishNeedsLock(_cores["b"], _cores.Now, draining: false).Fire();

    private sealed class CoresClock(Cores cores) : TimeProvider
    {
        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => cores.Now;
    }
}
