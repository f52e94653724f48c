using Ha.Election;
using Ha.Tests.Leadership;
using Ha.Tests.Support;

namespace Ha.Tests.Election;

/// <summary>While nobody leads: who was heard, who refused, and why.</summary>
public class NobodyTests
{
    private const long Second = 1_000_000;

    [Fact]
    public void A_node_that_reaches_nobody_says_so_after_five_seconds_and_every_thirty()
    {
        var alone = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        var reports = Alone(alone["a"], alone.Now, 70 * Second, "the peer takes no connection").ToArray();

        Assert.Equal([5, 35, 65], reports.Select(report => (report.At - alone.Now + Second / 2) / Second));
        Assert.All(reports, report => Assert.Equal(
            "this node reaches 1 of 3 members, itself included, and a leader needs 2; " +
            "http://b was never heard (the peer takes no connection); http://c was never heard (the peer takes no connection)",
            report.Why));
    }

    [Fact]
    public void What_was_heard_once_is_named_with_its_silence()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(2 * Second);
        Assert.Null(cores["a"].WhyNobodyLeads);

        var report = Alone(cores["a"], cores.Now, 10 * Second, "no answer in time").First();

        Assert.Contains("b at http://b is silent for 5 s (no answer in time)", report.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failover_is_no_such_report()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(20 * Second);
        Assert.DoesNotContain(cores["b"].TakeEvents(), report => report.Kind == ElectionEventKind.NobodyLeads);
        Assert.Null(cores["b"].WhyNobodyLeads);
    }

    [Fact]
    public void Each_state_of_a_member_has_words()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        Assert.StartsWith("this node does not listen yet", cores["b"].WhyNobodyLeads, StringComparison.Ordinal);

        cores.DeliverAll();
        cores["b"].Tick(cores.Now + Cores.Interval, cores.Now + Cores.Interval);
        Assert.StartsWith("this node has just started and waits", cores["b"].WhyNobodyLeads, StringComparison.Ordinal);
        Assert.Contains("a at http://a has just started and does not vote yet", cores["b"].WhyNobodyLeads, StringComparison.Ordinal);

        cores.Run(2 * Second);
        Assert.Null(cores["b"].WhyNobodyLeads);
    }

    [Fact]
    public void A_member_that_is_refused_reads_why()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cores.Run(2 * Second);
        var beat = cores.Beat("b", "c");
        var reply = cores.Take("c", beat) with { Status = BeatStatus.NotMember };

        cores.TakeReply("b", "c", reply);
        var report = Alone(cores["b"], cores.Now, 10 * Second, failure: null).First();

        Assert.Contains("c at http://c: it says that this node is not in its BASE_PEERS", report.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_refusal_status_and_reason_has_words()
    {
        Assert.All(Enum.GetValues<HandoffReason>(), reason => Assert.DoesNotContain($"{reason}", ElectionWords.Of(reason), StringComparison.Ordinal));
        Assert.All(Enum.GetValues<Refusal>(), refusal => Assert.DoesNotContain($"{refusal}", ElectionWords.Of(refusal), StringComparison.Ordinal));
        Assert.All(Enum.GetValues<BeatStatus>(), status => Assert.DoesNotContain($"{status}", ElectionWords.Of(status), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_snapshot_carries_the_reason_and_loses_it_when_somebody_leads()
    {
        await using var cluster = new LuxCluster("a", "b", "c");
        var a = cluster.Start("a");
        await Eventually.True(() => a.Current.WhyNobodyLeads?.Contains("http://b was never heard (the peer takes no connection)", StringComparison.Ordinal) == true);

        cluster.Start("b");
        await Eventually.True(() => a.Current.LeaderId is not null);

        Assert.Null(a.Current.WhyNobodyLeads);
    }

    /// <summary>Lets time pass for one core, none of whose requests is answered.</summary>
    private static IEnumerable<(long At, string Why)> Alone(ElectionCore core, long from, long micros, string? failure)
    {
        for (var now = from; now < from + micros; now += Cores.Interval / 2)
        {
            core.Tick(now, now);
            for (var peer = 0; peer < core.PeerCount; peer++)
            {
                if (core.WantsBeat(peer))
                {
                    core.BeatFailed(peer, core.CreateBeat(peer, now, now).Seq, now, failure);
                }
            }

            foreach (var report in core.TakeEvents().Where(report => report.Kind == ElectionEventKind.NobodyLeads))
            {
                yield return (now, report.Why);
            }
        }
    }
}
