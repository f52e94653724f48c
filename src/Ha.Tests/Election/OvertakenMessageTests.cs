using Ha.Election;

namespace Ha.Tests.Election;

/// <summary>Requests and replies travel separately, so what a node said last may arrive first.</summary>
public class OvertakenMessageTests
{
    [Fact]
    public void A_request_that_was_overtaken_by_its_senders_release_names_no_leader()
    {
        var cores = Led("a", majority: true, "a", "b", "c");
        Prepare(cores, "a", "b");
        var late = cores.Beat("a", "b");
        Assert.Equal(BeatOp.Renew, late.Op);
        Release(cores, "a", "b");
        Assert.Null(cores["b"].LeaderSeenAt(cores.Now));

        cores.Take("b", late);

        Assert.Null(cores["b"].LeaderSeenAt(cores.Now));
        cores.Run(Cores.Interval / 10, () => cores["b"].IsLeaderAt(cores.Now));
        Assert.Equal(["b"], cores.Leaders);
    }

    [Fact]
    public void In_off_mode_a_successor_does_not_yield_to_a_reply_from_before_the_handover()
    {
        var cores = Led("a", majority: false, "a", "b");
        var late = cores.Take("a", cores.Beat("b", "a"));
        Assert.Equal(NodeRole.Leader, late.From.Role);
        Prepare(cores, "a", "b");
        Release(cores, "a", "b");
        cores.Run(Cores.Interval / 10, () => cores["b"].IsLeaderAt(cores.Now));
        Assert.Equal(["b"], cores.Leaders);

        cores.TakeReply("b", "a", late);

        Assert.Equal(["b"], cores.Leaders);
        Assert.DoesNotContain(cores["b"].TakeEvents(), e => e.Kind == ElectionEventKind.ConflictSeen);
    }

    [Fact]
    public void The_last_words_of_a_former_process_do_not_shut_its_successor_out()
    {
        var cores = Led("a", majority: true, "a", "b", "c");
        var late = cores.Take("a", cores.Beat("c", "a"));
        cores.Restart("a");
        cores.TakeReply("a", "c", cores.Take("c", cores.Beat("a", "c")));
        Assert.Equal(BeatStatus.Ok, cores.Take("c", cores.Beat("a", "c")).Status);

        cores.TakeReply("c", "a", late);
        cores.Run(2 * Cores.Interval);

        Assert.Equal(BeatStatus.Ok, cores.Take("c", cores.Beat("a", "c")).Status);
    }

    private static Cores Led(string leader, bool majority, params string[] ids)
    {
        var cores = new Cores(majority, awaitFloor: false, ids);
        cores.Run(8 * Cores.Lease, () => cores.Leaders.Length > 0);
        cores.Run(2 * Cores.Interval);
        Assert.Equal([leader], cores.Leaders);
        return cores;
    }

    private static void Prepare(Cores cores, string from, string to)
    {
        Assert.Equal(HandoffResult.Accepted, cores[from].BeginHandoff(to, HandoffReason.StepDown, cores.Now).Result);
        cores.TakeReply(from, to, cores.Take(to, cores.Beat(from, to)));
        Assert.Equal(HandoffPhase.Draining, cores[from].HandoffPhase);
    }

    /// <summary>The successor learns of the release by a reply to its own request.</summary>
    private static void Release(Cores cores, string from, string to)
    {
        cores[from].CompleteDrain(cores.Now);
        Assert.Equal(NodeRole.Follower, cores[from].Role);
        cores.TakeReply(to, from, cores.Take(from, cores.Beat(to, from)));
    }
}
