using Ha.Election;

namespace Ha.Tests.Leases;

public class LeaseHandoffTests
{
    private readonly LeaseBed _bed = new();

    [Fact]
    public void A_step_down_moves_the_lease_to_the_named_successor_in_three_round_trips()
    {
        Lead("a", "b", "c");
        long epoch = _bed["a"].Epoch;
        var start = _bed["a"].BeginHandoff("c", HandoffReason.StepDown, _bed.Now);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "c"), start);
        Assert.True(_bed["a"].GateClosed);
        Assert.True(_bed["a"].IsLeaderAt(_bed.Now));
        _bed["a"].CompleteDrain(_bed.Now);
        Assert.Equal(NodeRole.Follower, _bed["a"].Role);
        Assert.False(_bed["a"].ReleaseIsKnown(_bed.Now));
        _bed["c"].Woken(_bed.Now);
        _bed.Run(2 * LeaseBed.Delay, () => _bed["a"].ReleaseIsKnown(_bed.Now));
        Assert.Equal("c", _bed.Record!.Successor);
        _bed["b"].Woken(_bed.Now);
        _bed["c"].Woken(_bed.Now);
        Assert.True(_bed.RunUntilLeads("c") <= LeaseBed.Lease / 30 + 3 * LeaseBed.Delay);
        Assert.True(_bed["c"].Epoch > epoch);
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal(["c"], _bed.Leaders);
    }

    [Fact]
    public void Over_a_store_that_keeps_no_members_it_steps_down_to_whoever_comes()
    {
        _bed.KeepsMembers = false;
        Lead("a", "b");
        Assert.Equal(HandoffResult.NotEligible, _bed["a"].BeginHandoff("b", HandoffReason.StepDown, _bed.Now).Result);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted), _bed["a"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now));
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.RunUntilLeads("b");
        Assert.Equal(["b"], _bed.Leaders);
    }

    [Fact]
    public void Over_a_store_that_keeps_no_members_it_leads_again_when_nobody_comes()
    {
        _bed.KeepsMembers = false;
        Lead("a");
        _bed["a"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now);
        _bed["a"].CompleteDrain(_bed.Now);
        Assert.True(_bed.RunUntilLeads("a") >= 2 * LeaseBed.Interval);
    }

    [Fact]
    public void Nothing_is_handed_over_without_a_successor_except_at_the_end()
    {
        Lead("a");
        Assert.Equal(HandoffResult.NotEligible, _bed["a"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now).Result);
        _bed.Start("b", ready: false);
        _bed.Run(LeaseBed.Lease);
        Assert.Equal(HandoffResult.NotEligible, _bed["a"].BeginHandoff("b", HandoffReason.StepDown, _bed.Now).Result);
        Assert.Equal(HandoffResult.NotLeader, _bed["b"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now).Result);
        _bed["a"].SetDraining(_bed.Now);
        Assert.Equal(HandoffResult.Accepted, _bed["a"].BeginHandoff(null, HandoffReason.Shutdown, _bed.Now).Result);
        Assert.Equal(HandoffResult.AlreadyRunning, _bed["a"].BeginHandoff(null, HandoffReason.Shutdown, _bed.Now).Result);
        _bed["a"].CompleteDrain(_bed.Now);
        Assert.True(_bed.Run(LeaseBed.Interval, () => _bed["a"].ReleaseIsKnown(_bed.Now)));
        Assert.Null(_bed.Record!.HolderId);
        Assert.Null(_bed.Record.Successor);
    }

    [Fact]
    public void A_leader_renews_while_it_drains_and_lapses_when_a_writer_does_not_finish()
    {
        Lead("a", "b");
        _bed["a"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now);
        _bed.Run(2 * LeaseBed.Lease - 1);
        Assert.True(_bed["a"].IsLeaderAt(_bed.Now));
        _bed.Run(1_000);
        Assert.Contains(_bed.Events["a"], e => e.Kind == ElectionEventKind.DrainTimedOut);
        _bed.Calls.Clear();
        _bed.RunUntilLeads("b", 2 * LeaseBed.Lease);
        Assert.DoesNotContain(_bed.Calls, call => call is { Id: "a", Call.Write: not null });
    }

    [Fact]
    public void A_release_is_repeated_until_it_is_there_also_over_a_renewal_that_was_lost()
    {
        Lead("a", "b");
        var renewal = _bed.Take("a");
        _bed.Apply(renewal);
        _bed["a"].Failed(renewal.Id, "no answer", _bed.Now, _bed.Wall);
        _bed["a"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now);
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.CutOff.Add("a");
        _bed.Run(LeaseBed.Interval + 1_000);
        Assert.False(_bed["a"].ReleaseIsKnown(_bed.Now));
        _bed.CutOff.Clear();
        Assert.True(_bed.Run(LeaseBed.Interval, () => _bed["a"].ReleaseIsKnown(_bed.Now)));
        Assert.Equal((null, "b"), (_bed.Record!.HolderId, _bed.Record.Successor));
    }

    [Fact]
    public void A_release_ends_after_a_lease_and_never_overwrites_another_holder()
    {
        Lead("a", "b");
        _bed["a"].BeginHandoff(null, HandoffReason.StepDown, _bed.Now);
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.Edit(_bed.Record! with { HolderId = "x" });
        Assert.True(_bed.Run(LeaseBed.Interval, () => _bed["a"].ReleaseIsKnown(_bed.Now)));
        Assert.Equal("x", _bed.Record!.HolderId);

        var alone = new LeaseBed();
        alone.Start("a");
        alone.RunUntilLeads("a");
        alone.CutOff.Add("a");
        alone["a"].SetDraining(alone.Now);
        alone["a"].BeginHandoff(null, HandoffReason.Shutdown, alone.Now);
        alone["a"].CompleteDrain(alone.Now);
        Assert.False(alone.Run(LeaseBed.Lease - 1, () => alone["a"].ReleaseIsKnown(alone.Now)));
        Assert.True(alone.Run(2, () => alone["a"].ReleaseIsKnown(alone.Now)));
    }

    [Fact]
    public void A_lease_released_for_a_node_that_does_not_come_is_anybodys_after_a_third()
    {
        _bed.Start("b");
        _bed.Edit(Released("gone"));
        Assert.InRange(_bed.RunUntilLeads("b"), LeaseBed.Interval, LeaseBed.Interval + LeaseBed.Lease / 20 + 3 * LeaseBed.Delay);

        var anybody = new LeaseBed();
        anybody.Start("b");
        anybody.Edit(Released(null));
        Assert.InRange(anybody.RunUntilLeads("b"), 0, LeaseBed.Lease / 20 + 3 * LeaseBed.Delay);
    }

    [Fact]
    public void The_floor_is_asked_for_and_raised_over_without_losing_the_lease()
    {
        var core = _bed.Start("a", awaitFloor: true);
        Assert.True(_bed.Run(2 * LeaseBed.Lease, () => core.NeedsEpochFloor));
        long epoch = core.Epoch;
        long generation = core.Generation;
        Assert.False(core.IsLeaderAt(_bed.Now));
        core.ConfirmEpochFloor(epoch + 50_000_000, epoch, _bed.Now);
        Assert.Equal(epoch, core.Epoch);
        Assert.False(core.NeedsEpochFloor);
        Assert.True(_bed.Run(LeaseBed.Interval, () => core.NeedsEpochFloor));
        Assert.Equal((epoch + 50_000_001, epoch + 50_000_001), (core.Epoch, _bed.Record!.Epoch));
        Assert.True(core.Generation > generation);
        core.ConfirmEpochFloor(epoch, epoch, _bed.Now);
        Assert.True(core.NeedsEpochFloor);
        core.ConfirmEpochFloor(epoch + 50_000_000, epoch + 50_000_001, _bed.Now);
        Assert.True(core.IsLeaderAt(_bed.Now));

        // Later somebody outside raises it.
        core.ConfirmEpochFloor(epoch + 70_000_000, epoch + 50_000_001, _bed.Now);
        Assert.True(core.IsLeaderAt(_bed.Now));
        Assert.True(_bed.Run(LeaseBed.Interval, () => core.NeedsEpochFloor));
        Assert.Equal(epoch + 70_000_001, core.Epoch);
    }

    [Fact]
    public void A_leader_that_cannot_raise_the_fence_lets_another_try()
    {
        var core = _bed.Start("a", awaitFloor: true);
        _bed.Run(2 * LeaseBed.Lease, () => core.NeedsEpochFloor);
        _bed.Start("b");
        _bed.Run(3_000_000, () => core.GateClosed);
        core.CompleteDrain(_bed.Now);
        _bed.RunUntilLeads("b");
        Assert.False(core.IsEligible(_bed.Now));
        _bed.Stop("b");
        Assert.False(_bed.Run(4 * 2_000_000, () => core.Role == NodeRole.Leader));
        Assert.True(_bed.Run(2 * 2_000_000, () => core.Role == NodeRole.Leader));
    }

    private void Lead(string id, params string[] others)
    {
        _bed.Start(id);
        _bed.RunUntilLeads(id);
        foreach (string other in others)
            _bed.Start(other);

        _bed.Run(2 * LeaseBed.Lease);
        Assert.Equal([id], _bed.Leaders);
    }

    private static LeaseRecord Released(string? successor) => new()
    {
        HolderId = null,
        Incarnation = "00000000000000000000000000000007",
        Epoch = 5,
        Duration = TimeSpan.Zero,
        Successor = successor,
    };
}
