using Ha.Chaos.Checking;
using Ha.Chaos.History;
using static Ha.Tests.Chaos.Histories;

namespace Ha.Tests.Chaos;

public class HistoryCheckTests
{
    [Fact]
    public void A_history_in_which_all_is_well_is_accepted() => Assert.Empty(HistoryCheck.Violations(
    [
        new RunLine(1, 3, "sqlite", 600, ""),
        Put("p0", 0, 5) with { NoteId = 1, Node = "a", Epoch = 1 },
        Add("one", 2, from: 6, to: 7), Add("two", 3, "b", 2, from: 10, to: 11), Add("three", 0, outcome: Outcome.Unknown), Add("four", 0, outcome: Outcome.Failed),
        Put("p1", 12, 13) with { NoteId = 1, Node = "b", Epoch = 2 },
        Claim("a", 1, 0, 2), Claim("a", 1, 6, 8), Claim("b", 2, 9, 10), Claim("b", 2, 12, 15),
        Row(1, "p1", "b", 2), Row(2, "one"), Row(3, "two", "b", 2),
    ]));

    [Fact]
    public void A_lost_note_is_rejected() => Rejects("is lost", Add("one", 1));

    [Fact]
    public void A_note_that_is_there_twice_is_rejected() => Rejects("2 times", Add("one", 1), Row(1, "one"), Row(2, "one"));

    [Fact]
    public void A_refused_note_that_is_there_is_rejected() => Rejects("nothing was executed", Add("one", 1, outcome: Outcome.Failed), Row(1, "one"));

    [Fact]
    public void A_note_under_another_epoch_than_acknowledged_is_rejected() => Rejects("was acknowledged as", Add("one", 1, epoch: 2), Row(1, "one", epoch: 1));

    [Fact]
    public void A_note_from_nowhere_is_rejected() => Rejects("nobody wrote it", Row(1, "one"));

    [Fact]
    public void A_register_that_lost_its_last_write_is_rejected() => Rejects("no order",
        Put("p0", 0, 5) with { NoteId = 1 }, Put("p1", 6, 9) with { NoteId = 1 }, Row(1, "p0"));

    [Fact]
    public void Two_writers_in_one_epoch_are_rejected() => Rejects("2 writers",
        Add("one", 1), Add("two", 2, "b", from: 2, to: 3), Row(1, "one"), Row(2, "two", "b"));

    [Fact]
    public void A_commit_under_a_lower_epoch_than_the_one_before_is_rejected() => Rejects("was committed after",
        Add("one", 1, "b", 2, from: 0, to: 9), Add("two", 2, "a", 1, from: 0, to: 9), Row(1, "one", "b", 2), Row(2, "two"));

    [Fact]
    public void An_epoch_below_one_that_a_client_had_seen_before_is_rejected() => Rejects("had been acknowledged",
        Put("p1", 0, 5) with { Node = "b", Epoch = 2 }, Put("p2", 6, 9) with { Node = "a", Epoch = 1 });

    [Fact]
    public void Two_leaders_at_one_moment_are_rejected() => Rejects("two leaders",
        Claim("a", 1, 0, 2), Claim("b", 2, 5, 6), Claim("a", 1, 8, 9), Claim("b", 2, 10, 11));

    [Fact]
    public void A_leader_inside_another_ones_time_is_rejected() => Rejects("two leaders",
        Claim("a", 2, 0, 2), Claim("b", 1, 5, 6), Claim("a", 2, 8, 9));

    [Fact]
    public void Claims_that_may_have_been_one_after_the_other_are_accepted()
    {
        Assert.Empty(ClaimCheck.Violations([Claim("a", 1, 0, 2), Claim("a", 1, 3, 9), Claim("b", 2, 4, 6), Claim("b", 2, 12, 13)]));
        Assert.Empty(ClaimCheck.Violations([Claim("a", 1, 0, 50), Claim("b", 2, 10, 20), Claim("b", 2, 30, 40)]));
    }

    [Fact]
    public void A_later_leader_in_a_lower_epoch_is_rejected() => Rejects("do not rise", Claim("a", 2, 0, 2), Claim("b", 1, 5, 6));

    [Fact]
    public void Two_leaders_of_one_epoch_are_rejected() => Rejects("do not rise", Claim("a", 1, 0, 2), Claim("b", 1, 5, 6));

    [Fact]
    public void What_a_store_promises_is_held_to_as_a_majority_is()
    {
        Rejects("two leaders", Claim("a", 1, 0, 2, "store"), Claim("b", 2, 5, 6, "store"), Claim("a", 1, 8, 9, "store"), Claim("b", 2, 10, 11, "store"));
        Rejects("do not rise", Claim("a", 2, 0, 2, "store"), Claim("b", 1, 5, 6, "store"));
    }

    [Fact]
    public void Without_a_majority_mode_nothing_is_promised() =>
        Assert.Empty(ClaimCheck.Violations([Claim("a", 1, 0, 2, "off"), Claim("a", 1, 8, 9, "off"), Claim("b", 2, 1, 2, "off"), Claim("b", 2, 8, 9, "off")]));

    [Fact]
    public void A_cluster_that_does_not_recover_is_rejected() => Rejects("did not recover", new FaultLine("kill", FaultPhase.Stuck, 1, "a", true));

    [Fact]
    public void A_node_that_ends_by_itself_is_rejected() => Rejects("ended by itself", new ExitLine("a", 134, 1, "loss"));

    [Fact]
    public void A_history_comes_back_from_its_file_as_it_was()
    {
        HistoryLine[] lines =
        [
            new RunLine(7, 3, "sqlite", 600, "run"), new RunLine(7, 3, "sqlite", 600, "run", "redis"), Put("ü", 1, 2, Outcome.Unknown), Get("x", 0, 1), Add("t", 4), Claim("a", 5, 6, 7),
            new FaultLine("kill", FaultPhase.Recovered, 3, "a", true, "…"), new ExitLine("b", 139, 4, "loss"), Row(4, "t"),
        ];
        Assert.Equal(lines, lines.Select(l => HistoryFile.Parse(HistoryFile.Format(l))));
    }

    [Fact]
    public void Availability_is_the_longest_time_without_an_acknowledged_write()
    {
        var episode = Assert.Single(Availability.Episodes(
        [
            Add("before", 1, from: 0, to: 90), new FaultLine("kill", FaultPhase.Begin, 100, "a", true), Add("one", 2, from: 110, to: 120),
            Add("two", 3, from: 130, to: 400, outcome: Outcome.Unknown), Add("three", 4, from: 140, to: 700), new FaultLine("kill", FaultPhase.Recovered, 800, "a", true),
        ]));
        Assert.Equal(new Episode("kill", true, 580, Acknowledged: 2, Failed: 0, Unknown: 1), episode);
    }

    private static void Rejects(string why, params HistoryLine[] history) =>
        Assert.Contains(HistoryCheck.Violations(history), v => v.Contains(why, StringComparison.Ordinal));
}
