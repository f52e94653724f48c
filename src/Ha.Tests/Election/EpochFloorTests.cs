using Ha.Election;

namespace Ha.Tests.Election;

/// <summary>With <c>RaiseFence</c> set, no write is admitted before the leader's epoch is above what the application stored.</summary>
public class EpochFloorTests
{
    [Fact]
    public void A_bump_for_another_reason_does_not_stand_in_for_the_applications_floor()
    {
        var cores = Won();
        var floor = cores["a"].Epoch + 1_000_000_000;
        Poison(cores);
        Assert.True(cores["a"].NeedsEpochFloor);
        Assert.False(cores["a"].IsLeaderAt(cores.Now));

        cores["a"].ConfirmEpochFloor(floor, cores["a"].Epoch, cores.Now);
        cores.Run(2 * Cores.Interval, () => cores["a"].NeedsEpochFloor);
        cores["a"].ConfirmEpochFloor(floor, cores["a"].Epoch, cores.Now);

        Assert.True(cores["a"].IsLeaderAt(cores.Now));
        Assert.True(cores["a"].Epoch > floor);
    }

    [Fact]
    public void A_floor_below_the_epoch_is_confirmed_at_once()
    {
        var cores = Won();
        var epoch = cores["a"].Epoch;

        cores["a"].ConfirmEpochFloor(epoch - 1, epoch, cores.Now);

        Assert.True(cores["a"].IsLeaderAt(cores.Now));
        Assert.Equal(epoch, cores["a"].Epoch);
    }

    [Fact]
    public void An_answer_for_another_epoch_confirms_nothing()
    {
        var cores = Won();

        cores["a"].ConfirmEpochFloor(0, cores["a"].Epoch - 1, cores.Now);

        Assert.True(cores["a"].NeedsEpochFloor);
        Assert.False(cores["a"].IsLeaderAt(cores.Now));
    }

    [Fact]
    public void A_leader_that_cannot_reach_its_store_hands_over_to_one_that_may()
    {
        var cores = Won();

        cores.Run(3 * Cores.Lease, () => cores["a"].GateClosed);
        cores["a"].CompleteDrain(cores.Now);
        cores.Run(Cores.Interval, () => cores["b"].Role == NodeRole.Leader);
        cores["b"].ConfirmEpochFloor(0, cores["b"].Epoch, cores.Now);

        Assert.True(cores["b"].IsLeaderAt(cores.Now));
        Assert.False(cores["a"].IsEligible(cores.Now));
        cores.Run(10 * Cores.Lease);
        Assert.True(cores["a"].IsEligible(cores.Now));
    }

    [Fact]
    public void A_leader_that_nobody_can_follow_keeps_trying()
    {
        var cores = Won();
        cores["b"].SetDraining(cores.Now);
        cores["c"].SetDraining(cores.Now);
        cores.Run(Cores.Interval);

        cores.Run(6 * Cores.Lease);
        cores["a"].ConfirmEpochFloor(0, cores["a"].Epoch, cores.Now);

        Assert.True(cores["a"].IsLeaderAt(cores.Now));
    }

    [Fact]
    public void A_fence_that_a_stranger_raised_later_is_gone_above_without_giving_up_the_lease()
    {
        var cores = Won();
        var epoch = cores["a"].Epoch;
        cores["a"].ConfirmEpochFloor(epoch - 1, epoch, cores.Now);

        cores["a"].ConfirmEpochFloor(epoch, epoch, cores.Now);
        cores.Run(Cores.Interval);
        Assert.Equal(epoch, cores["a"].Epoch);

        var strangers = epoch + 1_000_000_000;
        cores["a"].ConfirmEpochFloor(strangers, epoch, cores.Now);
        Assert.True(cores["a"].IsLeaderAt(cores.Now));
        cores.Run(2 * Cores.Interval, () => cores["a"].NeedsEpochFloor);
        Assert.True(cores["a"].Epoch > strangers);
        cores["a"].ConfirmEpochFloor(strangers, cores["a"].Epoch, cores.Now);
        Assert.True(cores["a"].IsLeaderAt(cores.Now));
    }

    [Fact]
    public void Without_a_quorum_two_sides_do_not_outbid_each_other()
    {
        var cores = new Cores(majority: false, awaitFloor: true, "a", "b");
        cores.Run(8 * Cores.Lease, () => cores["a"].Role == NodeRole.Leader);
        var epoch = cores["a"].Epoch;
        cores["a"].ConfirmEpochFloor(0, epoch, cores.Now);

        cores["a"].ConfirmEpochFloor(epoch + 1_000_000_000, epoch, cores.Now);
        cores.Run(2 * Cores.Interval);

        Assert.Equal(epoch, cores["a"].Epoch);
    }

    private static Cores Won()
    {
        var cores = new Cores(majority: true, awaitFloor: true, "a", "b", "c");
        cores.Run(8 * Cores.Lease, () => cores["a"].Role == NodeRole.Leader);
        Assert.True(cores["a"].NeedsEpochFloor);
        return cores;
    }

    /// <summary>Raises the floor of c's vote above a's epoch, as a candidate that crashed would have.</summary>
    private static void Poison(Cores cores)
    {
        var before = cores["a"].Epoch;
        var voter = cores["c"].Voter;
        voter.Release(voter.Holder!.Value, before, null, cores.Now);
        Assert.True(voter.Ask(BeatOp.Acquire, new Holder("ghost", default), before + 1, 1, cores.Now, deferToLower: false).Granted);
        cores.Run(2 * Cores.Interval);
        Assert.True(cores["a"].Epoch > before);
    }
}
