using Ha.Election;

namespace Ha.Tests.Leases;

public class LeaseStandingTests
{
    private readonly LeaseBed _bed = new();

    [Fact]
    public void A_leader_that_is_paused_releases_the_lease_to_one_that_stands()
    {
        Lead("a", "b", "c");
        _bed["b"].SetTrouble("its database is gone", _bed.Now);
        _bed.Run(LeaseBed.Lease);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "c"), _bed["a"].Pause(null, _bed.Now));
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.RunUntilLeads("c");
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal(["c"], _bed.Leaders);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "c"), _bed["a"].Pause(null, _bed.Now));
    }

    [Fact]
    public void A_leader_is_not_paused_while_nobody_could_take_over()
    {
        Lead("a", "b");
        _bed["b"].Pause(null, _bed.Now);
        _bed.Run(LeaseBed.Lease);
        Assert.Equal(HandoffResult.NotEligible, _bed["a"].Pause(null, _bed.Now).Result);
        Assert.True(_bed["a"].Standing.Stands);
        _bed.Run(3 * LeaseBed.Lease);
        Assert.Equal(["a"], _bed.Leaders);
    }

    [Fact]
    public void A_leader_in_trouble_leads_until_somebody_stands_who_then_takes_over()
    {
        Lead("a", "b");
        _bed["b"].SetTrouble("its database is gone", _bed.Now);
        _bed.Run(LeaseBed.Lease);
        _bed["a"].SetTrouble("its database is gone", _bed.Now);
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal(["a"], _bed.Leaders);
        Assert.False(_bed["a"].GateClosed);

        _bed["b"].SetTrouble(null, _bed.Now);
        _bed.Run(3 * LeaseBed.Interval, () => _bed["a"].GateClosed);
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.RunUntilLeads("b");
    }

    [Fact]
    public void A_paused_node_takes_no_lease_that_nobody_holds()
    {
        Lead("a", "b");
        _bed["b"].Pause(null, _bed.Now);
        _bed.Stop("a");
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Empty(_bed.Leaders);
        Assert.EndsWith("this node is paused", _bed["b"].WhyNobodyLeads, StringComparison.Ordinal);
        _bed["b"].Resume(_bed.Now);
        Assert.True(_bed.RunUntilLeads("b") <= LeaseBed.Interval);
    }

    [Fact]
    public void Where_the_store_keeps_no_members_a_leader_that_is_paused_lets_go_all_the_same()
    {
        _bed.KeepsMembers = false;
        Lead("a", "b");
        Assert.Equal(new HandoffStart(HandoffResult.Accepted), _bed["a"].Pause(null, _bed.Now));
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.RunUntilLeads("b");
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal(["b"], _bed.Leaders);
    }

    [Fact]
    public void A_claim_under_way_when_the_node_is_paused_does_not_make_it_lead()
    {
        Lead("a", "b");
        _bed.Stop("a");
        var claim = _bed.Take("b");
        while (claim.Write is null)
        {
            _bed["b"].Answered(claim.Id, _bed.Apply(claim), _bed.Now, _bed.Wall);
            claim = _bed.Take("b");
        }

        Assert.Equal(NodeRole.Candidate, _bed["b"].Role);
        _bed["b"].Pause(null, _bed.Now);
        _bed["b"].Answered(claim.Id, _bed.Apply(claim), _bed.Now, _bed.Wall);
        Assert.Equal("b", _bed.Record!.HolderId);
        _bed.Run(3 * LeaseBed.Lease);
        Assert.Empty(_bed.Leaders);
        Assert.Null(_bed.Record!.HolderId);
    }

    [Fact]
    public void A_handoff_is_called_off_when_nobody_is_left_to_take_over()
    {
        Lead("a", "b", "c");
        long epoch = _bed["a"].Epoch;
        _bed["a"].Pause(null, _bed.Now);
        Assert.True(_bed["a"].GateClosed);
        _bed["b"].Pause(null, _bed.Now);
        _bed["c"].SetTrouble("its database is gone", _bed.Now);
        Assert.True(_bed.Run(LeaseBed.Lease, () => !_bed["a"].GateClosed));
        Assert.Contains(_bed.Events["a"], e => e is { Kind: ElectionEventKind.HandoffAborted, Why: "nobody could take over any more" });

        // The last writer leaves, and the time to drain is over.
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal((true, epoch, false), (_bed["a"].IsLeaderAt(_bed.Now), _bed["a"].Epoch, _bed["a"].GateClosed));

        _bed["c"].SetTrouble(null, _bed.Now);
        Assert.True(_bed.Run(LeaseBed.Lease, () => _bed["a"].GateClosed));
        _bed["a"].CompleteDrain(_bed.Now);
        _bed.RunUntilLeads("c");
    }

    [Fact]
    public void A_successor_that_dies_while_writers_finish_is_noticed_before_the_lease_is_given_up()
    {
        Lead("a", "b");
        _bed["a"].Pause(null, _bed.Now);
        _bed.Stop("b");
        Assert.True(_bed.Run(2 * LeaseBed.Lease, () => !_bed["a"].GateClosed));
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal(["a"], _bed.Leaders);
    }

    [Fact]
    public void A_leader_that_stands_again_keeps_what_it_was_about_to_give_away()
    {
        Lead("a", "b");
        long epoch = _bed["a"].Epoch;
        _bed["a"].Pause(null, _bed.Now);
        _bed["a"].Resume(_bed.Now);
        Assert.False(_bed["a"].GateClosed);
        _bed["a"].CompleteDrain(_bed.Now);
        _bed["a"].SetTrouble("its database is gone", _bed.Now);
        Assert.True(_bed.Run(2 * LeaseBed.Interval, () => _bed["a"].GateClosed));
        _bed["a"].SetTrouble(null, _bed.Now);
        _bed.Run(5 * LeaseBed.Lease);
        Assert.Equal((true, epoch, false), (_bed["a"].IsLeaderAt(_bed.Now), _bed["a"].Epoch, _bed["a"].GateClosed));
    }

    [Fact]
    public void A_lease_that_runs_out_on_purpose_is_not_taken_back()
    {
        Lead("a", "b");
        _bed["a"].Pause(null, _bed.Now);
        Assert.True(_bed.Run(3 * LeaseBed.Lease, () => _bed["a"].HandoffPhase == HandoffPhase.Lapsing));
        long until = _bed["a"].LeaseUntil;
        _bed["b"].Pause(null, _bed.Now);
        _bed["a"].Resume(_bed.Now);
        _bed.Run(until - _bed.Now - 1);
        Assert.Equal((NodeRole.Leader, HandoffPhase.Lapsing, until), (_bed["a"].Role, _bed["a"].HandoffPhase, _bed["a"].LeaseUntil));
        _bed.Run(1);
        Assert.Equal(NodeRole.Follower, _bed["a"].Role);
    }

    [Fact]
    public void Nothing_is_released_behind_a_gate_that_closes_only_as_the_last_writer_is_said_to_have_left()
    {
        Lead("a", "b");
        _bed["b"].Pause(null, _bed.Now);
        _bed.Run(LeaseBed.Lease + LeaseBed.Interval / 2);
        _bed["a"].SetTrouble("its database is gone", _bed.Now);
        _bed["b"].Resume(_bed.Now);
        Assert.True(_bed.Run(LeaseBed.Interval - 1, () => _bed["a"].Members.Any(member => member is { NodeId: "b", Eligible: true })));
        Assert.False(_bed["a"].GateClosed);

        _bed.Pass(LeaseBed.Interval);
        _bed["a"].CompleteDrain(_bed.Now);
        Assert.Equal((NodeRole.Leader, true), (_bed["a"].Role, _bed["a"].GateClosed));
    }

    [Fact]
    public void A_leader_is_not_paused_for_one_while_it_hands_over_to_another()
    {
        Lead("a", "b", "c");
        _bed["a"].BeginHandoff("b", HandoffReason.StepDown, _bed.Now);
        Assert.Equal(new HandoffStart(HandoffResult.AlreadyRunning, "b"), _bed["a"].Pause("c", _bed.Now));
        Assert.True(_bed["a"].Standing.Stands);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _bed["a"].Pause("b", _bed.Now));
    }

    private void Lead(string first, params string[] others)
    {
        _bed.Start(first);
        _bed.RunUntilLeads(first);
        foreach (string id in others)
        {
            _bed.Start(id);
        }

        _bed.Run(LeaseBed.Lease);
    }
}
