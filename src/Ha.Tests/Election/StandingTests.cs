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

    [Theory]
    [InlineData(nameof(HandoffReason.Paused))]
    [InlineData(nameof(HandoffReason.Unhealthy))]
    [InlineData(nameof(HandoffReason.StepDown))]
    public void A_handoff_is_called_off_when_nobody_is_left_to_take_over(string reason)
    {
        Lead("a");
        var epoch = _cores["a"].Epoch;
        GiveAway("a", reason);
        _cores["b"].Pause(null, _cores.Now);
        _cores["c"].SetTrouble("its database is gone", _cores.Now);
        _cores.DeliverAll();
        Assert.False(_cores["a"].GateClosed);
        Assert.Contains(_cores["a"].TakeEvents(), e => e is { Kind: ElectionEventKind.HandoffAborted, Why: "nobody could take over any more" });

        // The last writer leaves, and the time to drain is over.
        _cores["a"].CompleteDrain(_cores.Now);
        _cores.Run(5 * Cores.Lease);
        Assert.Equal((true, epoch, false), (_cores["a"].IsLeaderAt(_cores.Now), _cores["a"].Epoch, _cores["a"].GateClosed));

        _cores["c"].SetTrouble(null, _cores.Now);
        if (reason != nameof(HandoffReason.StepDown))
        {
            _cores.Run(2 * Cores.Interval, () => _cores["a"].GateClosed);
            Settle("a", "c");
        }
    }

    [Fact]
    public void A_handoff_goes_to_another_when_the_chosen_one_stands_no_more()
    {
        Lead("a");
        GiveAway("a", nameof(HandoffReason.Paused));
        _cores["b"].SetTrouble("its database is gone", _cores.Now);
        Settle("a", "c");
    }

    [Fact]
    public void A_shutdown_goes_on_though_nobody_is_left_to_take_over()
    {
        Lead("a");
        _cores["a"].Pause(null, _cores.Now);
        _cores.DeliverAll();
        _cores["a"].BeginHandoff(null, HandoffReason.Shutdown, _cores.Now);
        _cores["b"].Pause(null, _cores.Now);
        _cores["c"].Pause(null, _cores.Now);
        _cores.DeliverAll();
        Assert.True(_cores["a"].GateClosed);
        _cores["a"].CompleteDrain(_cores.Now);
        Assert.Equal(NodeRole.Follower, _cores["a"].Role);
    }

    [Theory]
    [InlineData(nameof(HandoffReason.Paused))]
    [InlineData(nameof(HandoffReason.Unhealthy))]
    public void A_leader_that_stands_again_keeps_what_it_was_about_to_give_away(string reason)
    {
        Lead("a");
        var epoch = _cores["a"].Epoch;
        GiveAway("a", reason);
        Stand("a");
        Assert.False(_cores["a"].GateClosed);
        _cores["a"].CompleteDrain(_cores.Now);
        _cores.Run(5 * Cores.Lease);
        Assert.Equal((true, epoch), (_cores["a"].IsLeaderAt(_cores.Now), _cores["a"].Epoch));
    }

    [Fact]
    public void A_step_down_goes_on_over_a_pause_and_its_end()
    {
        Lead("a");
        GiveAway("a", nameof(HandoffReason.StepDown));
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause(null, _cores.Now));
        _cores["a"].Resume(_cores.Now);
        Settle("a", "b");
    }

    [Fact]
    public void A_lease_that_runs_out_on_purpose_is_not_taken_back()
    {
        Lead("a");
        var epoch = _cores["a"].Epoch;
        GiveAway("a", nameof(HandoffReason.Paused));
        _cores.Run(2 * Cores.Lease, () => _cores["a"].HandoffPhase == HandoffPhase.Lapsing);
        var until = _cores["a"].LeaseUntil;
        _cores["b"].Pause(null, _cores.Now);
        _cores["c"].Pause(null, _cores.Now);
        _cores["a"].Resume(_cores.Now);
        _cores.DeliverAll();
        Assert.Equal(HandoffPhase.Lapsing, _cores["a"].HandoffPhase);
        _cores.Run(Cores.Lease, () => _cores["a"].Role == NodeRole.Follower);
        Assert.InRange(_cores.Now, until, until + Cores.Interval);
        _cores.Run(8 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Equal(["a"], _cores.Leaders);
        Assert.True(_cores["a"].Epoch > epoch);
    }

    [Fact]
    public void A_leader_is_not_paused_for_one_while_it_hands_over_to_another()
    {
        Lead("a");
        GiveAway("a", nameof(HandoffReason.StepDown));
        Assert.Equal(new HandoffStart(HandoffResult.AlreadyRunning, "b"), _cores["a"].Pause("c", _cores.Now));
        Assert.Equal(HandoffResult.AlreadyRunning, _cores["a"].Pause("nobody", _cores.Now).Result);
        Assert.True(_cores["a"].Standing.Stands);

        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause("b", _cores.Now));
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause("c", _cores.Now));
        Settle("a", "b");
    }

    [Theory]
    [InlineData(true, "b")]
    [InlineData(false, "a")]
    public void A_named_successor_that_is_silent_is_replaced_by_another_after_a_pause_and_by_none_after_a_step_down(bool pause, string leads)
    {
        Lead("a");
        _cores.Silent.Add("c");
        var start = pause ? _cores["a"].Pause("c", _cores.Now) : _cores["a"].BeginHandoff("c", HandoffReason.StepDown, _cores.Now);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "c"), start);
        _cores.Run(2 * Cores.Interval + Cores.Interval / 2);
        _cores["a"].CompleteDrain(_cores.Now);
        _cores.Run(Cores.Interval);
        Assert.Equal([leads], _cores.Leaders);
    }

    [Fact]
    public void A_node_that_is_paused_in_its_quarantine_does_not_lead_after_it()
    {
        Assert.True(_cores["a"].IsQuarantined(_cores.Now));
        Assert.Equal(new HandoffStart(HandoffResult.Accepted), _cores["a"].Pause(null, _cores.Now));
        _cores.Run(8 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Equal(["b"], _cores.Leaders);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), _cores["a"].Pause(null, _cores.Now));
    }

    [Fact]
    public void A_witness_can_be_paused_and_votes_all_the_same()
    {
        var witness = new ElectionCore(_cores.ConfigOf("c") with { Witness = true }, _cores.Now, _cores.Now);
        witness.SetReady(_cores.Now);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted), witness.Pause(null, _cores.Now));
        _cores.Replace("c", witness);
        Lead("a");
        _cores.Silent.Add("b");
        _cores.Run(4 * Cores.Lease);
        Assert.Equal(["a"], _cores.Leaders);
        Assert.Equal(("a", true), (_cores["c"].Voter.Holder?.Id, _cores["c"].Standing.Paused));
    }

    [Fact]
    public void Of_two_members_without_a_quorum_the_one_that_is_paused_hands_over_and_takes_nothing_back()
    {
        var cores = new Cores(majority: false, awaitFloor: false, "a", "b");
        cores.Run(8 * Cores.Lease, () => cores["a"].IsLeaderAt(cores.Now));
        cores.Run(2 * Cores.Interval);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "b"), cores["a"].Pause(null, cores.Now));
        cores.DeliverAll();
        cores["a"].CompleteDrain(cores.Now);
        cores.Run(8 * Cores.Lease);
        Assert.Equal(["b"], cores.Leaders);
        Assert.Equal(HandoffResult.NotEligible, cores["b"].Pause(null, cores.Now).Result);

        // Paused, it leads nothing, not even alone.
        cores.Silent.Add("b");
        cores.Run(8 * Cores.Lease);
        Assert.False(cores["a"].IsLeaderAt(cores.Now));
    }

    [Fact]
    public void A_candidate_that_falls_ill_as_the_last_other_voter_is_lost_does_not_win()
    {
        var cores = new Cores(majority: false, awaitFloor: false, "a", "b");
        cores["a"].Pause(null, cores.Now);
        cores["b"].Pause(null, cores.Now);
        cores.Run(8 * Cores.Lease);
        cores["b"].SetTrouble("its database is gone", cores.Now);
        cores.DeliverAll();
        cores.Silent.Add("b");
        cores.Run(2 * Cores.Interval + Cores.Interval / 4);
        cores["a"].Resume(cores.Now);
        Assert.Equal(NodeRole.Candidate, cores["a"].Role);

        // Without b, whose vote is not needed once it is not heard any more, a's own is enough.
        cores.Sleep(Cores.Interval * 4 / 5);
        cores["a"].SetTrouble("its database is gone", cores.Now);
        Assert.Equal(NodeRole.Follower, cores["a"].Role);
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

    /// <summary>Up to the closed gate.</summary>
    private void GiveAway(string id, string reason)
    {
        switch (reason)
        {
            case nameof(HandoffReason.Paused):
                _cores[id].Pause(null, _cores.Now);
                break;
            case nameof(HandoffReason.Unhealthy):
                _cores[id].SetTrouble("its database is gone", _cores.Now);
                break;
            default:
                _cores[id].BeginHandoff(null, Enum.Parse<HandoffReason>(reason), _cores.Now);
                break;
        }

        _cores.DeliverAll();
        Assert.True(_cores[id].GateClosed);
        _cores[id].TakeEvents();
    }

    private void Stand(string id)
    {
        _cores[id].Resume(_cores.Now);
        _cores[id].SetTrouble(null, _cores.Now);
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
