using Ha.Election;

namespace Ha.Tests.Election;

public class SuccessorTests
{
    [Fact]
    public void Two_handovers_in_a_row_both_take_milliseconds()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(8 * Cores.Lease, () => cores.Leaders.Length > 0);
        cores.Run(2 * Cores.Interval);

        HandOver(cores, "a", "b");
        HandOver(cores, "b", "c");
    }

    [Fact]
    public void A_step_down_that_became_a_shutdown_asks_the_lowest_too()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(8 * Cores.Lease, () => cores["a"].Role == NodeRole.Leader);
        cores.Run(2 * Cores.Interval);
        cores["a"].BeginHandoff("c", HandoffReason.StepDown, cores.Now);
        cores["a"].BeginHandoff(null, HandoffReason.Shutdown, cores.Now);
        cores["c"].SetDraining(cores.Now);

        cores.TakeReply("a", "c", cores.Take("c", cores.Beat("a", "c")));

        Assert.Equal(HandoffPhase.Preparing, cores["a"].HandoffPhase);
        Assert.Equal(BeatOp.HandoffPrepare, cores.Beat("a", "b").Op);
    }

    [Fact]
    public void A_node_that_is_going_away_gives_its_candidacy_up()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(8 * Cores.Lease, () => cores["a"].Role == NodeRole.Leader);
        cores["a"].BeginHandoff("b", HandoffReason.StepDown, cores.Now);
        cores.DeliverAll();
        cores["a"].CompleteDrain(cores.Now);
        cores.Take("b", cores.Beat("a", "b"));
        Assert.Equal(NodeRole.Candidate, cores["b"].Role);

        cores["b"].SetDraining(cores.Now);

        Assert.Equal(NodeRole.Follower, cores["b"].Role);
    }

    [Fact]
    public void A_release_is_known_when_requests_from_after_it_were_answered()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(8 * Cores.Lease, () => cores["a"].Role == NodeRole.Leader);
        cores["a"].BeginHandoff("b", HandoffReason.Shutdown, cores.Now);
        cores.DeliverAll();
        var before = cores.Take("c", cores.Beat("a", "c"));
        cores.Run(1);

        cores["a"].CompleteDrain(cores.Now);
        cores.TakeReply("a", "c", before);
        Assert.False(cores["a"].ReleaseIsKnown(cores.Now));
        cores.DeliverAll();

        Assert.True(cores["a"].ReleaseIsKnown(cores.Now));
    }

    private static void HandOver(Cores cores, string from, string to)
    {
        Assert.Equal(HandoffResult.Accepted, cores[from].BeginHandoff(to, HandoffReason.StepDown, cores.Now).Result);
        cores.DeliverAll();
        Assert.Equal(HandoffPhase.Draining, cores[from].HandoffPhase);
        cores[from].CompleteDrain(cores.Now);
        var began = cores.Now;
        cores.Run(Cores.Lease, () => cores[to].IsLeaderAt(cores.Now));
        Assert.InRange(cores.Now - began, 0, Cores.Interval / 10);
    }
}
