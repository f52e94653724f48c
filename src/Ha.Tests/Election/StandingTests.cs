using Ha.Election;

namespace Ha.Tests.Election;

public class StandingTests
{
    private readonly Cores _cores = new(majority: true, awaitFloor: false, "a", "b", "c");

    [Fact]
    public void A_leader_that_is_paused_hands_over_and_does_not_lead_again()
    {
        Lead("a");
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause(null, _cores.Now));
        Settle("a", "b");
        Assert.False(_cores["a"].IsEligible(_cores.Now));
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause(null, _cores.Now));

        _cores["b"].SetDraining(_cores.Now);
        _cores["b"].BeginHandoff(null, HandoffReason.Shutdown, _cores.Now);
        Settle("b", "c");
    }

    [Fact]
    public void A_paused_node_follows_and_votes()
    {
        Lead("a");
        _cores["a"].Pause("c", _cores.Now);
        Settle("a", "c");
        _cores.Run(4 * Cores.Lease);
        Assert.Equal(["c"], _cores.Leaders);
        Assert.Equal("c", _cores["a"].LeaderSeenAt(_cores.Now)?.Id);
        Assert.Equal("c", _cores["a"].Voter.Holder?.Id);
    }

    [Fact]
    public void The_others_know_of_a_pause_and_of_its_end()
    {
        Lead("a");
        _cores["b"].Pause(null, _cores.Now);
        _cores.Run(Cores.Interval);
        Assert.True(Seen("a", "b") is { Paused: true, Unhealthy: false, Eligible: false });
        _cores["b"].SetTrouble("its database is gone", _cores.Now);
        _cores["b"].Resume(_cores.Now);
        _cores.Run(Cores.Interval);
        Assert.True(Seen("a", "b") is { Paused: false, Unhealthy: true, Eligible: false });
        _cores["b"].SetTrouble(null, _cores.Now);
        _cores.Run(Cores.Interval);
        Assert.True(Seen("a", "b") is { Paused: false, Unhealthy: false, Eligible: true });
    }

    [Fact]
    public void A_leader_is_not_paused_while_nobody_could_take_over()
    {
        Lead("a");
        _cores["b"].Pause(null, _cores.Now);
        _cores["c"].SetTrouble("its database is gone", _cores.Now);
        _cores.Run(Cores.Interval);

        Assert.Equal(HandoffResult.NotEligible, _cores["a"].Pause(null, _cores.Now).Result);
        Assert.True(_cores["a"].Standing.Stands);
        Assert.Equal(HandoffResult.NotEligible, _cores["a"].Pause("nobody", _cores.Now).Result);
        _cores.Run(4 * Cores.Lease);
        Assert.Equal(["a"], _cores.Leaders);
    }

    [Fact]
    public void A_leader_in_trouble_leads_until_somebody_stands_who_then_takes_over()
    {
        Lead("a");
        _cores["b"].SetTrouble("its database is gone", _cores.Now);
        _cores["c"].SetTrouble("its database is gone", _cores.Now);
        _cores.Run(Cores.Interval);
        _cores["a"].SetTrouble("its database is gone", _cores.Now);
        _cores.Run(5 * Cores.Lease);
        Assert.Equal(["a"], _cores.Leaders);

        _cores["c"].SetTrouble(null, _cores.Now);
        _cores.Run(2 * Cores.Interval, () => _cores["a"].GateClosed);
        Settle("a", "c");
    }

    [Fact]
    public void A_node_in_trouble_does_not_become_leader()
    {
        _cores["a"].SetTrouble("not checked yet", _cores.Now);
        _cores.Run(8 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Equal(["b"], _cores.Leaders);
        _cores["a"].SetTrouble(null, _cores.Now);
        _cores.Run(8 * Cores.Lease);
        Assert.Equal(["b"], _cores.Leaders);
    }

    [Fact]
    public void A_candidate_that_is_paused_frees_its_votes()
    {
        Lead("a");
        _cores["a"].BeginHandoff("b", HandoffReason.StepDown, _cores.Now);
        _cores.DeliverAll();
        _cores["a"].CompleteDrain(_cores.Now);
        _cores.Take("b", _cores.Beat("a", "b"));
        Assert.Equal(NodeRole.Candidate, _cores["b"].Role);

        _cores["b"].Pause(null, _cores.Now);
        Assert.Equal(NodeRole.Follower, _cores["b"].Role);
        Assert.Null(_cores["b"].Voter.Holder);
        _cores.Run(4 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Equal(["a"], _cores.Leaders);
    }

    [Fact]
    public void While_all_are_paused_nobody_leads_and_everybody_says_why()
    {
        foreach (var id in (string[])["a", "b", "c"])
        {
            _cores[id].Pause(null, _cores.Now);
        }

        _cores.Run(20 * Cores.Lease);
        Assert.Empty(_cores.Leaders);
        Assert.StartsWith("this node is paused; b at http://b is heard and is paused;", _cores["a"].WhyNobodyLeads, StringComparison.Ordinal);
        _cores["c"].Resume(_cores.Now);
        _cores.Run(4 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Equal(["c"], _cores.Leaders);
    }

    [Fact]
    public void A_pause_that_the_successor_declines_is_made_up_for_when_another_stands()
    {
        Lead("a");
        _cores["c"].Pause(null, _cores.Now);
        _cores.Run(Cores.Interval);
        _cores["b"].Pause(null, _cores.Now);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause(null, _cores.Now));
        _cores.Run(4 * Cores.Interval);
        Assert.Equal(["a"], _cores.Leaders);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "a"), _cores["a"].Pause(null, _cores.Now));

        _cores["c"].Resume(_cores.Now);
        _cores.Run(2 * Cores.Interval, () => _cores["a"].GateClosed);
        Settle("a", "c");
    }

    [Fact]
    public void A_pause_of_a_lower_node_is_no_loss_of_it_and_trouble_is()
    {
        Lead("b", paused: "a");
        Assert.Equal(0, Seen("b", "a").RecentLosses(_cores.Now));
        _cores["a"].Resume(_cores.Now);
        _cores.Run(Cores.Interval);
        _cores["a"].Pause(null, _cores.Now);
        _cores.Run(Cores.Interval);
        Assert.Equal(0, Seen("b", "a").RecentLosses(_cores.Now));
        _cores["a"].Resume(_cores.Now);
        _cores.Run(Cores.Interval);
        _cores["a"].SetTrouble("its database is gone", _cores.Now);
        _cores.Run(Cores.Interval);
        Assert.Equal(1, Seen("b", "a").RecentLosses(_cores.Now));
    }

    private void Lead(string id, string? paused = null)
    {
        if (paused is not null)
        {
            _cores[paused].Pause(null, _cores.Now);
        }

        _cores.Run(8 * Cores.Lease, () => _cores[id].IsLeaderAt(_cores.Now));
        _cores.Run(2 * Cores.Interval);
        Assert.Equal([id], _cores.Leaders);
    }

    /// <summary>Lets a handoff that has begun end.</summary>
    private void Settle(string from, string to)
    {
        _cores.DeliverAll();
        Assert.True(_cores[from].GateClosed);
        _cores[from].CompleteDrain(_cores.Now);
        _cores.Run(Cores.Interval / 2);
        Assert.Equal([to], _cores.Leaders);
    }

    private Peer Seen(string by, string id)
    {
        var core = _cores[by];
        return Enumerable.Range(0, core.PeerCount).Select(core.PeerAt).Single(peer => peer.Id == id);
    }
}
