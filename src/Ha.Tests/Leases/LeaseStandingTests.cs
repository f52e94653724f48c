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
