using Ha.Testing;

namespace Ha.Outside.Tests.Clusters;

/// <summary>Whole clusters of real leaders on virtual time.</summary>
public class TestClusterTests
{
    private static readonly TimeSpan _within = TimeSpan.FromSeconds(5);

    public static TheoryData<TestArbiter> Arbiters => [TestArbiter.Peers, TestArbiter.LeaseStore];

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void A_leader_that_is_killed_is_replaced_and_comes_back_as_a_follower(TestArbiter arbiter)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter, options => options.Preempt = Preemption.Never);
        var first = cluster.ExpectOneLeader(_within);

        first.Kill();
        Assert.False(first.IsLeader);
        var second = cluster.ExpectOneLeader(within: TimeSpan.FromSeconds(2));

        first.Restart();
        cluster.ExpectWithin(_within, "the first leader to follow", () => first.Current.LeaderId == second.Id);
        cluster.ExpectNeverTwoLeaders();
        cluster.ExpectRisingEpochs();
    }

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void A_leader_that_is_paused_finds_its_lease_run_out_when_it_wakes_up(TestArbiter arbiter)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter);
        var paused = cluster.ExpectOneLeader(_within);
        var leadership = paused.Current;

        paused.Pause();
        cluster.ExpectWithin(_within, "another leader", () => cluster.Leader is { } next && next != paused);
        Assert.False(leadership.IsLeader);
        Assert.False(leadership.LeaseLost.IsCancellationRequested);     // nobody has told it yet

        paused.Resume();
        cluster.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(leadership.LeaseLost.IsCancellationRequested);
        cluster.ExpectOneLeader(_within);
        cluster.ExpectNeverTwoLeaders();
    }

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void A_leader_that_is_cut_off_leads_no_more_before_the_next_one_does(TestArbiter arbiter)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter);
        var alone = cluster.ExpectOneLeader(_within);

        alone.Isolate();
        cluster.ExpectNoLeader(_within);
        Assert.NotEqual(alone, cluster.ExpectOneLeader(_within));
        cluster.Heal();
        cluster.Run(_within);
        cluster.ExpectOneLeader(TimeSpan.Zero);
        cluster.ExpectNeverTwoLeaders();
    }

    [Fact]
    public void A_leader_that_hears_no_answers_gives_way_to_one_that_does()
    {
        using var cluster = new TestCluster("a", "b", "c");
        var deaf = cluster.ExpectOneLeader(_within);
        foreach (var other in cluster.Nodes.Where(node => node != deaf))
        {
            cluster.CutOneWay(from: other.Id, to: deaf.Id);
        }

        cluster.ExpectNoLeader(_within);
        cluster.Heal();
        cluster.ExpectOneLeader(_within);
        cluster.ExpectNeverTwoLeaders();
    }

    [Fact]
    public void A_slow_link_costs_no_leadership_as_long_as_answers_come_in_time()
    {
        using var cluster = new TestCluster("a", "b", "c");
        var leader = cluster.ExpectOneLeader(_within);
        cluster.Delay("a", "b", TimeSpan.FromMilliseconds(200));
        cluster.Delay("a", "c", TimeSpan.FromMilliseconds(200));
        cluster.Run(TimeSpan.FromMinutes(1));
        Assert.Equal(leader, cluster.Leader);
    }

    [Fact]
    public void Nobody_leads_while_the_lease_store_is_out_of_reach()
    {
        using var cluster = new TestCluster(["a", "b"], TestArbiter.LeaseStore);
        cluster.ExpectOneLeader(_within);
        cluster.Cut("a", TestCluster.Store);
        cluster.Cut("b", TestCluster.Store);
        cluster.ExpectNoLeader(_within);
        cluster.Heal("b", TestCluster.Store);
        Assert.Equal("b", cluster.ExpectOneLeader(_within).Id);
    }

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void A_planned_end_hands_over_at_once(TestArbiter arbiter)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter);
        var first = cluster.ExpectOneLeader(_within);
        cluster.Run(_within);
        var before = cluster.Elapsed;

        first.Stop();
        cluster.ExpectOneLeader(_within);
        Assert.InRange(cluster.Elapsed - before, TimeSpan.Zero, TimeSpan.FromMilliseconds(200));
        Assert.False(first.IsAlive);
    }

    [Fact]
    public void Leadership_moves_to_the_node_that_was_named()
    {
        using var cluster = new TestCluster("a", "b", "c");
        var first = cluster.ExpectOneLeader(_within);
        cluster.Run(_within);
        Assert.Equal(new HandoffStart(HandoffResult.Accepted, "c"), first.StepDown("c"));
        cluster.ExpectWithin(TimeSpan.FromMilliseconds(50), "c to lead", () => cluster["c"].IsLeader);
    }

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void A_node_that_is_paused_or_in_trouble_does_not_lead(TestArbiter arbiter)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter);
        var first = cluster.ExpectOneLeader(_within);
        cluster.Run(_within);
        Assert.Equal(HandoffResult.Accepted, first.Control.Pause().Result);
        cluster.ExpectWithin(_within, "another leader", () => cluster.Leader is { } next && next != first);

        var second = cluster.ExpectOneLeader(_within);
        cluster.Run(_within);
        Assert.True(second.Control.ReportHealth("its database is gone"));
        cluster.ExpectWithin(_within, "the third to lead", () => cluster.Leader is { } next && next != first && next != second);

        var third = cluster.ExpectOneLeader(_within);
        cluster.Run(_within);
        Assert.Equal(HandoffResult.NotEligible, third.Control.Pause().Result);
        Assert.True(first.Control.Resume());
        third.Kill();
        Assert.Same(first, cluster.ExpectOneLeader(TimeSpan.FromMinutes(1)));
        cluster.ExpectNeverTwoLeaders();
    }

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void A_leader_opens_its_gate_again_when_nobody_is_left_to_take_over(TestArbiter arbiter)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter);
        var leader = cluster.ExpectOneLeader(_within);
        cluster.Run(_within);
        var leadership = leader.Current;

        leader.Gate.Enter();
        Assert.Equal(HandoffResult.Accepted, leader.Control.Pause().Result);
        cluster.ExpectWithin(_within, "the gate to close", IsHandingOver);
        Assert.All(cluster.Nodes.Where(node => node != leader), node => Assert.True(node.Control.ReportHealth("its database is gone")));
        cluster.ExpectWithin(TimeSpan.FromSeconds(1), "the gate to open", () => !IsHandingOver());
        cluster.Run(TimeSpan.FromMinutes(1));
        Assert.Same(leader, cluster.ExpectOneLeader(TimeSpan.Zero));
        Assert.True(leadership.IsLeader);
        leader.Gate.Exit();

        bool IsHandingOver() => leader.ToString().EndsWith(", handing over", StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Arbiters))]
    public void The_same_run_goes_the_same_way_again_beside_any_number_of_others(TestArbiter arbiter)
    {
        var first = RunOnce(arbiter, seed: 5);
        Assert.All(Enumerable.Range(0, 16).AsParallel().Select(_ => RunOnce(arbiter, seed: 5)).ToArray(), again => Assert.Equal(first, again));
    }

    [Fact]
    public void Another_seed_is_another_run()
    {
        var first = RunOnce(TestArbiter.LeaseStore, seed: 5);
        Assert.Contains(Enumerable.Range(6, 10), seed => !RunOnce(TestArbiter.LeaseStore, seed).SequenceEqual(first));
    }

    [Fact]
    public void A_fence_that_takes_its_time_is_waited_for()
    {
        var raised = new List<long>();
        using var cluster = new TestCluster(["a", "b", "c"], TestArbiter.Peers, options => options.RaiseFence = async (epoch, _) =>
        {
            await Task.Yield();
            raised.Add(epoch);
            return raised.Count == 1 ? throw new TimeoutException("the database is away") : 0;
        });
        var leader = cluster.ExpectOneLeader(_within);
        Assert.True(raised.Count >= 2);
        Assert.Equal(leader.Current.Epoch, raised[^1]);
    }

    [Fact]
    public void What_was_expected_in_vain_is_told_with_each_node_s_view()
    {
        using var cluster = new TestCluster("a", "b", "c");
        cluster.ExpectOneLeader(_within);
        cluster["a"].Kill();
        cluster["b"].Pause();
        var error = Assert.Throws<TestClusterException>(() => cluster.ExpectOneLeader(within: TimeSpan.FromSeconds(3)));
        Assert.StartsWith("Expected exactly one leader that all who can hear it follow within 3 s of virtual time", error.Message, StringComparison.Ordinal);
        Assert.Contains("  a is gone", error.Message, StringComparison.Ordinal);
        Assert.Contains("  b is paused", error.Message, StringComparison.Ordinal);
        Assert.Contains("  c knows of no leader: this node", error.Message, StringComparison.Ordinal);
        Assert.Contains("s a was killed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_leaders_are_noticed()
    {
        // Two nodes without a majority: under a partition each leads, as the documentation says.
        using var cluster = new TestCluster("a", "b");
        cluster.ExpectOneLeader(_within);
        cluster.ExpectNeverTwoLeaders();
        cluster.Cut("a", "b");
        cluster.Run(_within);
        var error = Assert.Throws<TestClusterException>(cluster.ExpectNeverTwoLeaders);
        Assert.Contains("a leads in epoch", error.Message, StringComparison.Ordinal);
        Assert.Contains("b leads in epoch", error.Message, StringComparison.Ordinal);
        Assert.Null(cluster.Leader);
    }

    [Fact]
    public async Task A_wait_for_a_leader_outlives_the_node_s_restart()
    {
        using var cluster = new TestCluster("a", "b", "c");
        cluster["a"].Kill();
        var waiting = cluster["a"].WaitForLeaderAsync();
        cluster.ExpectOneLeader(_within);
        Assert.False(waiting.IsCompleted);
        cluster["a"].Restart();
        cluster.Run(_within);
        Assert.Equal(cluster.Leader!.Id, (await waiting).LeaderId);
    }

    [Fact]
    public void Names_that_are_no_places_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new TestCluster());
        Assert.Throws<ArgumentException>(() => new TestCluster("a", "a"));
        Assert.Throws<ArgumentException>(() => new TestCluster("a", TestCluster.Store));
        Assert.Throws<ArgumentException>(() => new TestCluster("A"));
        using var cluster = new TestCluster("a", "b");
        Assert.Throws<ArgumentException>(() => cluster["c"]);
        Assert.Throws<ArgumentException>(() => cluster.Cut("a", "c"));
        Assert.Throws<ArgumentException>(() => cluster.Cut("a", TestCluster.Store));
    }

    private static IReadOnlyList<string> RunOnce(TestArbiter arbiter, int seed)
    {
        using var cluster = new TestCluster(["a", "b", "c"], arbiter, seed: seed);
        cluster.ExpectOneLeader(_within).Kill();
        cluster.ExpectOneLeader(_within).Pause();
        cluster["a"].Restart();
        cluster.Run(_within);
        cluster.Nodes[^1].Isolate();
        cluster.Run(_within);
        return cluster.History;
    }
}
