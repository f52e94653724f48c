using Ha.Election;

namespace Ha.Tests.Leases;

public class LeaseCoreTests
{
    private readonly LeaseBed _bed = new();

    [Fact]
    public void An_empty_store_is_waited_for_and_only_then_taken()
    {
        _bed.Start("a");
        long took = _bed.RunUntilLeads("a");
        Assert.InRange(took, LeaseBed.Lease, LeaseBed.Lease + 100_000);
        var first = _bed.Calls.First(call => call.Call.Write is not null).Call;
        Assert.Null(first.Expected);
        Assert.Null(first.Write!.HolderId);
        Assert.Equal(LeaseBed.Lease, first.Write.Duration.TotalMicroseconds);
        Assert.Equal("a", _bed.Record!.HolderId);
        Assert.True(_bed["a"].Epoch > first.Write.Epoch);
    }

    [Fact]
    public void A_lease_counts_from_before_the_call_and_less_the_drift()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        var call = _bed.Take("a");
        long sent = _bed.Now;
        _bed.Pass(100_000);
        _bed["a"].Answered(call.Id, _bed.Apply(call), _bed.Now, _bed.Wall);
        Assert.Equal(sent + LeaseBed.Lease * 98 / 100, _bed["a"].ValidUntil);
        Assert.False(_bed["a"].IsLeaderAt(_bed["a"].ValidUntil));
    }

    [Fact]
    public void A_leader_renews_every_third_and_a_follower_asks_every_third()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        _bed.Start("b");
        _bed.Run(3 * LeaseBed.Lease);
        _bed.Calls.Clear();
        _bed.Run(10 * LeaseBed.Lease);
        Assert.InRange(_bed.Calls.Count(call => call.Id == "a"), 29, 31);
        Assert.All(_bed.Calls.Where(call => call.Id == "a"), call => Assert.Equal(_bed["a"].Epoch, call.Call.Write!.Epoch));
        var reads = _bed.Calls.Where(call => call.Id == "b").ToList();
        Assert.InRange(reads.Count, 29, 31);
        Assert.All(reads, call => Assert.Null(call.Call.Write));
        Assert.All(reads.Skip(2), read =>
        {
            // Just after the leader's renewal: the news is fresh.
            long since = read.At - _bed.Calls.Last(call => call.Id == "a" && call.At <= read.At).At;
            Assert.InRange(since, 0, 40_000);
        });
    }

    [Fact]
    public void A_dead_leader_is_replaced_after_a_lease_and_little_more()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        _bed.Start("b");
        _bed.Run(3 * LeaseBed.Lease);
        _bed.Run(LeaseBed.Lease, () => _bed.Calls[^1].Id == "a");
        _bed.Run(2 * LeaseBed.Delay);
        long epoch = _bed["a"].Epoch;
        long renewed = _bed.Calls.Last(call => call.Id == "a").At;
        _bed.Stop("a");
        _bed.RunUntilLeads("b");
        Assert.InRange(_bed.Now - renewed, LeaseBed.Lease, LeaseBed.Lease + 100_000);
        Assert.True(_bed["b"].Epoch > epoch);
    }

    [Fact]
    public void A_change_of_the_version_starts_the_wait_anew()
    {
        _bed.Start("b");
        _bed.Edit(Of("x", 7));
        _bed.Run(LeaseBed.Lease - 10_000);
        _bed.Edit(_bed.Record);
        Assert.False(_bed.Run(LeaseBed.Lease, () => _bed["b"].Role == NodeRole.Leader));
        _bed.RunUntilLeads("b");
    }

    [Fact]
    public void A_record_that_promises_longer_is_waited_out_for_as_long_also_after_it_is_gone()
    {
        _bed.Start("b");
        _bed.Edit(Of("x", 7) with { Duration = TimeSpan.FromMicroseconds(3 * LeaseBed.Lease) });
        _bed.Run(LeaseBed.Interval);
        _bed.Edit(null);
        Assert.InRange(_bed.RunUntilLeads("b"), 3 * LeaseBed.Lease, 4 * LeaseBed.Lease);
    }

    [Fact]
    public void A_lapse_is_final_whatever_is_answered_later()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        long generation = _bed["a"].Generation;
        long epoch = _bed["a"].Epoch;
        var call = _bed.Take("a");
        var answer = _bed.Apply(call);
        _bed.Pass(LeaseBed.Lease);
        _bed["a"].Answered(call.Id, answer, _bed.Now, _bed.Wall);
        Assert.Equal(NodeRole.Follower, _bed["a"].Role);
        Assert.False(_bed["a"].IsLeaderAt(_bed.Now));
        Assert.True(_bed["a"].Generation > generation);

        // Nobody has replaced its own record since, so it may claim that at once; with a new epoch.
        Assert.True(_bed.RunUntilLeads("a") < 10_000);
        Assert.True(_bed["a"].Epoch > epoch);
    }

    [Fact]
    public void The_answer_to_a_call_that_was_given_up_is_ignored()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        long until = _bed["a"].ValidUntil;
        var call = _bed.Take("a");
        var answer = _bed.Apply(call);
        _bed["a"].Failed(call.Id, "no answer", _bed.Now, _bed.Wall);
        _bed["a"].Answered(call.Id, answer, _bed.Now, _bed.Wall);
        Assert.Equal(until, _bed["a"].ValidUntil);
    }

    [Fact]
    public void A_renewal_that_took_effect_unseen_is_written_again_at_once()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        long epoch = _bed["a"].Epoch;
        var lost = _bed.Take("a");
        _bed.Apply(lost);
        _bed["a"].Failed(lost.Id, "no answer", _bed.Now, _bed.Wall);
        var again = _bed.Take("a");
        Assert.Equal(lost.Expected, again.Expected);
        _bed["a"].Answered(again.Id, _bed.Apply(again), _bed.Now, _bed.Wall);
        long refusedAt = _bed.Now;
        Assert.True(_bed["a"].IsLeaderAt(_bed.Now));
        var third = _bed.Take("a");
        Assert.Equal(refusedAt, _bed.Now);
        Assert.Equal(_bed.Version, third.Expected);
        _bed["a"].Answered(third.Id, _bed.Apply(third), _bed.Now, _bed.Wall);
        Assert.Equal((epoch, true), (_bed["a"].Epoch, _bed["a"].IsLeaderAt(_bed.Now)));
        Assert.Equal("a", _bed.Record!.HolderId);
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("released")]
    [InlineData("struck out")]
    [InlineData("other")]
    [InlineData("own name, other epoch")]
    public void A_leader_whose_record_was_changed_by_hand_is_none_and_nobody_leads_before_its_lease_is_over(string how)
    {
        _bed.Start("b", ready: false);
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        long epoch = _bed["a"].Epoch;
        _bed["b"].SetReady(_bed.Now);
        _bed.Run(LeaseBed.Interval / 2);
        _bed.Edit(how switch
        {
            "gone" => null,
            "released" => _bed.Record! with { HolderId = null },
            "struck out" => _bed.Record! with { HolderId = null, Url = "", Target = "" },
            "other" => _bed.Record! with { HolderId = "b", Incarnation = _bed.Incarnation("b") },
            _ => _bed.Record! with { Epoch = epoch + 5 },
        });
        long until = _bed["a"].ValidUntil;
        Assert.True(_bed.Run(LeaseBed.Lease, () => _bed["a"].Role == NodeRole.Follower));
        Assert.True(_bed.Now < until);
        Assert.False(_bed.Run(until - _bed.Now, () => _bed.Leaders.Length > 0));
        Assert.True(_bed.Run(3 * LeaseBed.Lease, () => _bed.Leaders.Length == 1));
        Assert.True(_bed[_bed.Leaders[0]].Epoch > epoch);
    }

    [Fact]
    public void A_late_record_of_an_earlier_write_is_no_own_record_once_another_was_seen()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        _bed.CutOff.Add("a");
        _bed.Run(2 * LeaseBed.Lease);
        var own = _bed.Record!;
        _bed.CutOff.Clear();
        _bed.Edit(Of("x", own.Epoch + 1));
        _bed.Run(LeaseBed.Interval);
        _bed.Edit(own);
        Assert.False(_bed.Run(LeaseBed.Lease, () => _bed["a"].Role == NodeRole.Leader));
    }

    [Theory]
    [InlineData(0, 60, "x", "00000000000000000000000000000007", "")]
    [InlineData(ElectionCore.MaxEpoch + 1, 60, "x", "00000000000000000000000000000007", "")]
    [InlineData(5, -1, "x", "00000000000000000000000000000007", "")]
    [InlineData(5, 0, "x", "00000000000000000000000000000007", "")]
    [InlineData(5, 3601, "x", "00000000000000000000000000000007", "")]
    [InlineData(5, 60, " ", "00000000000000000000000000000007", "")]
    [InlineData(5, 60, "x", "7", "")]
    [InlineData(5, 60, "x", "00000000000000000000000000000007", "javascript:alert(1)")]
    [InlineData(-5, 0, null, "00000000000000000000000000000007", "")]
    public void Nonsense_is_waited_out_for_a_lease_told_once_and_overwritten(
        long epoch, int seconds, string? holder, string incarnation, string url)
    {
        _bed.Start("a");
        _bed.Edit(new LeaseRecord
        {
            HolderId = holder,
            Incarnation = incarnation,
            Epoch = epoch,
            Duration = TimeSpan.FromSeconds(seconds),
            Url = url,
        });
        Assert.InRange(_bed.RunUntilLeads("a"), LeaseBed.Lease, LeaseBed.Lease + 100_000);
        Assert.Null(_bed["a"].LeaderSeenAt(_bed.Now));
        Assert.InRange(_bed["a"].Epoch, _bed.Wall - 2 * LeaseBed.Lease, _bed.Wall);
        Assert.Single(_bed.Events["a"], e => e.Kind == ElectionEventKind.RecordRefused);
    }

    [Fact]
    public void An_epoch_is_above_the_record_and_all_that_was_ever_seen()
    {
        long high = _bed.Wall + 1_000_000_000_000;
        _bed.Start("a");
        _bed.Edit(Of("x", high));
        _bed.Run(LeaseBed.Interval);
        _bed.Edit(Of("x", 3));
        _bed.RunUntilLeads("a");
        Assert.Equal(high + 1, _bed["a"].Epoch);
    }

    [Fact]
    public void A_jump_of_the_clock_suspends_the_lease_until_a_renewal_that_was_sent_after_it()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        var before = _bed.Take("a");
        _bed.WallSkew += 200_000;
        _bed["a"].Answered(before.Id, _bed.Apply(before), _bed.Now, _bed.Wall);
        Assert.False(_bed["a"].IsLeaderAt(_bed.Now));
        long at = _bed.Now;
        var after = _bed.Take("a");
        Assert.Equal(at, _bed.Now);
        _bed["a"].Answered(after.Id, _bed.Apply(after), _bed.Now, _bed.Wall);
        Assert.True(_bed["a"].IsLeaderAt(_bed.Now));
    }

    [Fact]
    public void A_store_that_is_away_is_told_once_and_again_when_it_is_back()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        _bed.CutOff.Add("a");
        _bed.Run(10 * LeaseBed.Lease);
        Assert.Equal("cut off", _bed["a"].StoreTrouble);
        Assert.Contains("a register does not answer: cut off", _bed["a"].WhyNobodyLeads, StringComparison.Ordinal);
        _bed.CutOff.Clear();
        Assert.True(_bed.RunUntilLeads("a") < LeaseBed.Lease);
        Assert.Null(_bed["a"].StoreTrouble);
        Assert.Single(_bed.Events["a"], e => e.Kind == ElectionEventKind.StoreAway);
        Assert.Single(_bed.Events["a"], e => e.Kind == ElectionEventKind.StoreBack);
    }

    [Fact]
    public void A_call_that_fails_at_once_is_not_repeated_at_once()
    {
        var core = _bed.Start("a");
        for (int i = 0; i < 20; i++)
        {
            long at = _bed.Now;
            var call = _bed.Take("a");
            if (i > 0)
                Assert.InRange(_bed.Now - at, LeaseBed.Lease / 12, LeaseBed.Lease / 6);

            core.Failed(call.Id, "refused", _bed.Now, _bed.Wall);
        }
    }

    [Fact]
    public void A_write_that_is_refused_though_nothing_is_in_the_way_is_not_repeated_at_once()
    {
        var core = _bed.Start("a");
        var call = _bed.Take("a");
        while (call.Write is null)
        {
            core.Answered(call.Id, new LeaseAnswer { Written = false, Record = null, Version = null }, _bed.Now, _bed.Wall);
            call = _bed.Take("a");
        }

        for (int i = 0; i < 20; i++)
        {
            long at = _bed.Now;
            core.Answered(call.Id, new LeaseAnswer { Written = false, Record = null, Version = null }, _bed.Now, _bed.Wall);
            call = _bed.Take("a");
            Assert.True(_bed.Now - at >= LeaseBed.Lease / 12 - LeaseBed.Delay, $"{_bed.Now - at}");
        }
    }

    [Fact]
    public void An_answer_that_contradicts_itself_is_a_failure()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        long until = _bed["a"].ValidUntil;
        var call = _bed.Take("a");
        _bed["a"].Answered(call.Id, _bed.Apply(call) with { Version = null }, _bed.Now, _bed.Wall);
        Assert.Equal(until, _bed["a"].ValidUntil);
    }

    [Fact]
    public void A_wake_up_asks_at_once_but_a_flood_of_them_does_not()
    {
        _bed.Start("x");
        _bed.RunUntilLeads("x");
        _bed.Start("a");
        _bed.Run(LeaseBed.Lease);
        _bed.Calls.Clear();
        for (int i = 0; i < 900; i++)
        {
            _bed["a"].Woken(_bed.Now);
            _bed.Run(1_000);
        }

        var reads = _bed.Calls.Where(call => call.Id == "a").ToList();
        Assert.InRange(reads.Count, 25, 31);
        Assert.InRange(reads[0].At, _bed.Now - 900_000, _bed.Now - 900_000 + LeaseBed.Lease / 30);
    }

    [Fact]
    public void Only_who_is_ready_claims_and_who_drains_does_not()
    {
        _bed.Start("a", ready: false);
        Assert.False(_bed.Run(5 * LeaseBed.Lease, () => _bed.Record is not null));
        Assert.Contains("does not listen yet", _bed["a"].WhyNobodyLeads, StringComparison.Ordinal);
        _bed["a"].SetReady(_bed.Now);
        _bed["a"].SetDraining(_bed.Now);
        Assert.False(_bed.Run(5 * LeaseBed.Lease, () => _bed.Record is not null));
    }

    [Fact]
    public void A_claim_that_is_won_by_one_that_drains_is_released()
    {
        _bed.Start("a");
        _bed.Edit(Of("x", 7));
        var claim = _bed.Take("a");
        while (claim.Write is null)
        {
            _bed["a"].Answered(claim.Id, _bed.Apply(claim), _bed.Now, _bed.Wall);
            claim = _bed.Take("a");
        }

        Assert.Equal(NodeRole.Candidate, _bed["a"].Role);
        _bed["a"].SetDraining(_bed.Now);
        Assert.Equal(NodeRole.Follower, _bed["a"].Role);
        Assert.False(_bed["a"].ReleaseIsKnown(_bed.Now));
        _bed["a"].Answered(claim.Id, _bed.Apply(claim), _bed.Now, _bed.Wall);
        Assert.False(_bed["a"].ReleaseIsKnown(_bed.Now));
        _bed.Run(LeaseBed.Interval, () => _bed["a"].ReleaseIsKnown(_bed.Now));
        Assert.Null(_bed.Record!.HolderId);
        Assert.Equal(TimeSpan.Zero, _bed.Record.Duration);
    }

    [Fact]
    public void A_follower_knows_the_leader_for_as_long_as_its_record_lasts()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        _bed.Start("b");
        _bed.Run(LeaseBed.Interval);
        var known = _bed["b"].LeaderSeenAt(_bed.Now)!.Value;
        Assert.Equal(("a", "http://a:1", "http://a.example:1"), (known.Id, known.Target, known.PublicTarget));
        Assert.Equal(_bed["a"].Epoch, known.Epoch);
        Assert.Null(_bed["b"].WhyNobodyLeads);
        _bed.CutOff.Add("b");
        _bed.Run(known.Until - _bed.Now - 1);
        Assert.NotNull(_bed["b"].LeaderSeenAt(_bed.Now));
        _bed.Run(1);
        Assert.Null(_bed["b"].LeaderSeenAt(_bed.Now));
        Assert.Contains(_bed.Events["b"], e => e.Kind == ElectionEventKind.LeaderLost);
    }

    [Fact]
    public void Another_living_process_with_the_same_id_is_told_once()
    {
        _bed.Start("a");
        _bed.RunUntilLeads("a");
        var twin = _bed.Take("a").Self with { Incarnation = Guid.Empty.ToString("N") };
        _bed["a"].Failed(_bed.Calls.Count + 1, "", _bed.Now, _bed.Wall);
        var old = new LeaseAnswer
        {
            Written = false,
            Record = _bed.Record,
            Version = _bed.Version,
            Members = [twin with { Age = TimeSpan.FromMinutes(1) }],
        };
        var fresh = old with { Members = [twin] };
        var bed = new LeaseBed();
        bed.Start("a", ready: false);
        foreach (var (answer, told) in new[] { (old, 0), (fresh, 1), (fresh, 1) })
        {
            var call = bed.Take("a");
            bed["a"].Answered(call.Id, answer, bed.Now, bed.Wall);
            bed.Events["a"].AddRange(bed["a"].TakeEvents());
            Assert.Equal(told, bed.Events["a"].Count(e => e.Kind == ElectionEventKind.DuplicateId));
        }
    }

    [Fact]
    public void Members_come_and_go_as_the_store_hears_of_them()
    {
        _bed.Start("a");
        _bed.Start("b");
        _bed.Run(LeaseBed.Lease);
        Assert.True(_bed["a"].HasOthers);
        Assert.Contains(_bed.Events["a"], e => e is { Kind: ElectionEventKind.PeerUp, Node: "b" });
        _bed.Stop("b");
        _bed.Run(3 * LeaseBed.Lease);
        Assert.False(_bed["a"].HasOthers);
        Assert.Contains(_bed.Events["a"], e => e is { Kind: ElectionEventKind.PeerDown, Node: "b" });
    }

    private static LeaseRecord Of(string holder, long epoch) => new()
    {
        HolderId = holder,
        Incarnation = "00000000000000000000000000000007",
        Epoch = epoch,
        Duration = TimeSpan.FromMicroseconds(LeaseBed.Lease),
        Url = $"http://{holder}:1",
    };
}
