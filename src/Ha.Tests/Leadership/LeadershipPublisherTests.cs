using Ha.Configuration;
using Ha.Election;
using Ha.Leadership;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;

namespace Ha.Tests.Leadership;

/// <summary>What a snapshot says after the moment it was taken.</summary>
public class LeadershipPublisherTests
{
    private static readonly HaSettings _alone = TestSettings.From(o => o.NodeId = "a");

    private readonly ManualTime _clock = new();
    private readonly ElectionCore _core;
    private readonly LeadershipPublisher _publisher;

    public LeadershipPublisherTests()
    {
        var config = ElectionSetup.Create(_alone, Surroundings.OfProcess);
        _core = new ElectionCore(config, _clock.NowMicros(), _clock.WallMicros());
        _publisher = new LeadershipPublisher(config.NodeId, config.Target, config.PublicTarget, TimeSpan.FromSeconds(1), _clock);
        _core.SetReady(_clock.NowMicros());
        Publish();
    }

    [Fact]
    public void A_snapshot_of_the_own_leadership_sees_its_renewals()
    {
        var given = _publisher.Current;
        for (var renewal = 0; renewal < 20; renewal++)
        {
            Assert.True(given.IsLeader);
            Assert.True(given.LeaseRemaining > 2 * _alone.HeartbeatInterval);
            Pass(_alone.HeartbeatInterval);
        }

        Assert.Equal(given.Epoch, _publisher.Current.Epoch);
    }

    [Fact]
    public void It_is_false_when_the_lease_runs_out_before_anybody_says_so()
    {
        var given = _publisher.Current;
        _clock.Advance(_alone.LeaseTimeout);
        Assert.False(given.IsLeader);
        Assert.Equal(TimeSpan.Zero, given.LeaseRemaining);
    }

    [Fact]
    public void It_stays_false_when_the_node_leads_again()
    {
        var given = _publisher.Current;
        Pass(_alone.LeaseTimeout);
        Pass(_alone.HeartbeatInterval);
        Assert.True(_publisher.Current.IsLeader);
        Assert.True(_publisher.Current.Epoch > given.Epoch);
        Assert.False(given.IsLeader);
        Assert.Equal(TimeSpan.Zero, given.LeaseRemaining);
        Assert.True(given.LeaseLost.IsCancellationRequested);
    }

    private void Pass(TimeSpan time)
    {
        _clock.Advance(time);
        _core.Tick(_clock.NowMicros(), _clock.WallMicros());
        Publish();
    }

    private void Publish() => _publisher.PublishNeedsLock(_core, _clock.NowMicros(), draining: false).Fire();
}
