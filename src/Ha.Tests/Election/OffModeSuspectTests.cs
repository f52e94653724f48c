using Ha.Election;

namespace Ha.Tests.Election;

public class OffModeSuspectTests
{
    [Fact]
    public void Off_mode_asks_a_member_that_was_heard_lately_even_when_its_candidacy_ran_out()
    {
        const long Quarantine = Cores.Lease + Cores.Interval;
        var cores = new Cores(majority: false, awaitFloor: false, "b", "c");
        cores.Run(Quarantine - Cores.Interval / 2);
        var b = cores["b"];
        var c = new Holder("c", b.PeerAt(0).Incarnation);
        Assert.True(b.Voter.Ask(BeatOp.Acquire, c, 5, Cores.Interval, cores.Now, deferToLower: false).Granted);

        // c may have won just before this promise to it ran out: only c itself can tell.
        var expired = b.Voter.Until;
        b.Tick(expired, expired);
        Assert.True(b.PeerAt(0).Suspect);
        Assert.False(b.IsLeaderAt(expired));

        // Silent for a whole lease, it has nothing left to lead with.
        for (var now = expired; now < expired + 2 * Cores.Lease; now = b.NextDeadline)
        {
            b.Tick(now, now);
        }

        Assert.Equal(NodeRole.Leader, b.Role);
    }
}
