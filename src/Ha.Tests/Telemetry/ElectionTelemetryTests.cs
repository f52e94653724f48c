using Ha.Election;
using Ha.Telemetry;
using Ha.Tests.Heartbeat;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Telemetry;

public sealed class ElectionTelemetryTests : IDisposable
{
    private readonly RecordedLogs _logs = new();
    private readonly Measured _measured = new();
    private readonly FakeTimeProvider _clock = new();
    private readonly ElectionTelemetry _telemetry;

    public ElectionTelemetryTests() => _telemetry = new ElectionTelemetry(_logs, _measured.Metrics, _clock);

    public void Dispose()
    {
        _measured.Dispose();
        _logs.Dispose();
    }

    [Fact]
    public void A_failover_reads_as_one_story()
    {
        Publish(ElectionEventKind.LeaderSeen, "a", 7);
        Publish(ElectionEventKind.LeaderLost, "a", 7, "lease ran out");
        Publish(ElectionEventKind.LeadershipWon, null, 8, "enough votes");
        Publish(ElectionEventKind.LeaderSeen, "c", 9);
        Assert.Equal(
            "Leadership moved from nobody to a in epoch 7.\n" +
            "Leader a of epoch 7 is gone: lease ran out.\n" +
            "Leadership moved from a to this node in epoch 8: enough votes.\n" +
            "Leadership moved from this node to c in epoch 9.",
            string.Join('\n', _logs.Entries.Select(entry => entry.Text)));
        Assert.Equal("1 ha.change=seen; 1 ha.change=lost; 1 ha.change=won; 1 ha.change=seen", _measured.Of("ha.leadership.changes"));
    }

    [Fact]
    public void Leadership_never_moves_from_a_node_to_itself()
    {
        Publish(ElectionEventKind.LeaderSeen, "a", 7);
        Publish(ElectionEventKind.LeaderLost, "a", 7, "its lease ran out");
        Publish(ElectionEventKind.LeaderSeen, "a", 7, "it is heard again");
        Publish(ElectionEventKind.LeaderSeen, "a", 8, "it says so itself");
        Publish(ElectionEventKind.LeadershipWon, null, 9, "enough votes");
        Publish(ElectionEventKind.LeadershipLapsed, null, 9, "not renewed in time");
        Publish(ElectionEventKind.LeadershipWon, null, 10, "enough votes");
        Assert.Equal(
            "Leadership moved from nobody to a in epoch 7.\n" +
            "Leader a of epoch 7 is gone: its lease ran out.\n" +
            "Leadership stays with a, in epoch 7: it is heard again.\n" +
            "Leadership stays with a, in epoch 8: it says so itself.\n" +
            "Leadership moved from a to this node in epoch 9: enough votes.\n" +
            "Leadership of this node in epoch 9 lapsed: not renewed in time.\n" +
            "Leadership stays with this node, in epoch 10: enough votes.",
            string.Join('\n', _logs.Entries.Select(entry => entry.Text)));
    }

    [Fact]
    public void Every_kind_of_event_is_logged_under_its_own_id()
    {
        var kinds = Enum.GetValues<ElectionEventKind>();
        Assert.All(kinds, kind => Publish(kind, "n", 1));
        Assert.Equal(kinds.Length, _logs.Entries.Select(entry => entry.Id).Distinct().Count());
    }

    [Fact]
    public void What_repeats_is_logged_once_a_minute_and_cause_but_always_counted()
    {
        for (var i = 0; i < 100; i++)
        {
            Publish(ElectionEventKind.ConfigMismatch, "b", 0, "lease differs");
            Publish(ElectionEventKind.ConfigMismatch, "c", 0, "lease differs");
            _clock.Advance(TimeSpan.FromMilliseconds(500));
        }

        Assert.Equal(2, _logs.Entries.Count);
        Assert.Equal(2, _telemetry.Recent().Count);
        Assert.Equal(200, _measured.All.Count(measurement => measurement.Instrument is "ha.conflicts"));

        _clock.Advance(TimeSpan.FromSeconds(10));
        Publish(ElectionEventKind.ConfigMismatch, "b", 0, "lease differs");
        Assert.Equal("Settings of b differ from this node's, so it gets no vote: lease differs. BASE_PEERS, with each member's BASE_LOCAL_TARGET, cluster id, quorum and timing must be the same on every node. 99 more like it were left out.", _logs.Entries[^1].Text);
    }

    [Fact]
    public void Changes_of_leadership_are_never_left_out()
    {
        for (var i = 0; i < 50; i++)
        {
            Publish(ElectionEventKind.LeadershipWon, null, i);
            Publish(ElectionEventKind.LeadershipLapsed, null, i);
        }

        Assert.Equal(100, _logs.Entries.Count);
    }

    [Fact]
    public void A_fence_that_cannot_be_raised_is_logged_once_a_minute()
    {
        for (var i = 0; i < 121; i++)
        {
            _telemetry.FenceFailed(new IOException("the database is down"));
            _clock.Advance(TimeSpan.FromMilliseconds(500));
        }

        Assert.Equal(2, _logs.Entries.Count);
        Assert.EndsWith("before it is. 119 more like it were left out.", _logs.Entries[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Rejected_and_failed_heartbeats_are_logged_once_a_minute_per_reason()
    {
        for (var i = 0; i < 10; i++)
        {
            _telemetry.HeartbeatRejected("malformed");
            _telemetry.HeartbeatRejected("too_large");
            _telemetry.HeartbeatFailed("http://b", "timed_out", "no answer in time");
        }

        Assert.Equal(3, _logs.Entries.Count);
        Assert.All(_logs.Entries, entry => Assert.Equal(LogLevel.Warning, entry.Level));
        Assert.Equal(20, _measured.Metrics.Totals.HeartbeatsRejected);
        Assert.Equal(10, _measured.Metrics.Totals.HeartbeatsFailed);
    }

    [Fact]
    public void A_member_that_speaks_for_a_thousand_strangers_silences_no_other_cause()
    {
        for (var i = 0; i < 1000; i++)
        {
            var stranger = Beats.Facts(FormattableString.Invariant($"n{i}")) with { Target = FormattableString.Invariant($"http://n{i}") };
            _telemetry.HeartbeatRefused(BeatStatus.NotMember, stranger);
            _telemetry.HeartbeatRefused(BeatStatus.OtherCluster, stranger with { ClusterId = stranger.Id });
        }

        Assert.Equal(2, _logs.Entries.Count);
        Assert.Equal(2000, _measured.Metrics.Totals.HeartbeatsRejected);

        _telemetry.HeartbeatRefused(BeatStatus.Conflict, Beats.Facts() with { Target = "http://b" });
        _telemetry.HeartbeatRefused(BeatStatus.Conflict, Beats.Facts() with { Target = "http://c" });
        Assert.Equal([1104, 1104], _logs.Entries.Skip(2).Select(entry => entry.Id));
    }

    [Fact]
    public void Recent_events_are_bounded_newest_first_and_without_campaigns()
    {
        for (var i = 0; i < 2 * ElectionTelemetry.MaxRecent; i++)
        {
            Publish(ElectionEventKind.CampaignStarted, null, i);
            Publish(ElectionEventKind.LeadershipWon, null, i);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        var recent = _telemetry.Recent();
        Assert.Equal(ElectionTelemetry.MaxRecent, recent.Count);
        Assert.Equal((2 * ElectionTelemetry.MaxRecent) - 1, recent[0].Epoch);
        Assert.Equal(_clock.GetUtcNow() - TimeSpan.FromSeconds(1), recent[0].At);
        Assert.All(recent, e => Assert.Equal(ElectionEventKind.LeadershipWon, e.Kind));
    }

    [Fact]
    public void The_limiter_remembers_a_bounded_number_of_causes()
    {
        var limiter = new LogLimiter(_clock, TimeSpan.FromMinutes(1));
        var passed = Enumerable.Range(0, 10 * LogLimiter.MaxCauses).Count(i => limiter.Passes(FormattableString.Invariant($"cause {i}"), out _));
        Assert.Equal(LogLimiter.MaxCauses + 1, passed);

        _clock.Advance(TimeSpan.FromMinutes(2));
        Assert.True(limiter.Passes("yet another", out var suppressed));
        Assert.Equal((9 * LogLimiter.MaxCauses) - 1, suppressed);
    }

    private void Publish(ElectionEventKind kind, string? node, long epoch, string why = "why") =>
        _telemetry.Publish(new ElectionEvent(kind, node, epoch, why));
}
