using Ha.Telemetry;
using Ha.Tests.Endpoints;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Telemetry;

public sealed class HaMetricsTests
{
    [Fact]
    public void Heartbeats_are_counted_with_peer_and_round_trip()
    {
        using var measured = new Measured();
        measured.Metrics.HeartbeatSent("http://b", TimeSpan.FromMilliseconds(2));
        measured.Metrics.HeartbeatFailed("http://c", "timed_out");
        measured.Metrics.HeartbeatReceived();
        measured.Metrics.HeartbeatRejected("malformed");
        Assert.Equal("1 ha.peer=http://b; 1 ha.peer=http://c error.type=timed_out", measured.Of("ha.heartbeats.sent"));
        Assert.Equal("0.002 ha.peer=http://b", measured.Of("ha.heartbeat.duration"));
        Assert.Equal("1", measured.Of("ha.heartbeats.received"));
        Assert.Equal("1 ha.reason=malformed", measured.Of("ha.heartbeats.rejected"));
    }

    [Fact]
    public void Every_outcome_of_a_write_has_its_own_word()
    {
        using var measured = new Measured();
        Assert.All(Enum.GetValues<WriteOutcome>(), outcome => measured.Metrics.Write(outcome, TimeSpan.FromSeconds(0.25)));
        Assert.Equal(
            "0.25 ha.write.outcome=forwarded; 0.25 ha.write.outcome=redirected; 0.25 ha.write.outcome=held; " +
            "0.25 ha.write.outcome=refused; 0.25 ha.write.outcome=unknown",
            measured.Of("ha.write.duration"));
    }

    [Fact]
    public void Every_outcome_of_a_read_and_of_a_position_has_its_own_word()
    {
        using var measured = new Measured();
        Assert.All(Enum.GetValues<ReadOutcome>(), outcome => measured.Metrics.Read(outcome, TimeSpan.FromSeconds(0.25)));
        Assert.All(Enum.GetValues<PositionOutcome>(), measured.Metrics.Position);
        Assert.Equal(
            "0.25 ha.read.outcome=reached; 0.25 ha.read.outcome=leader; 0.25 ha.read.outcome=refused; 0.25 ha.read.outcome=cancelled",
            measured.Of("ha.read.duration"));
        Assert.Equal(
            "1 ha.position.outcome=issued; 1 ha.position.outcome=unread; 1 ha.position.outcome=malformed; " +
            "1 ha.position.outcome=unknown_key; 1 ha.position.outcome=bad_signature",
            measured.Of("ha.positions"));
    }

    [Fact]
    public void Gauges_show_the_provider_once_attached()
    {
        using var measured = new Measured();
        var clock = new FakeTimeProvider();
        measured.ReadGauges();
        Assert.Empty(measured.All);

        measured.Metrics.Attach(new FakeProvider(new LeadershipSnapshot(clock, clock.GetTimestamp() + clock.TimestampFrequency)
        {
            NodeId = "a",
            LeaderId = "a",
            LeadsSelf = true,
            Epoch = 42,
        }));
        measured.Metrics.Attach(new FakeProvider(new LeadershipSnapshot(clock, 0) { NodeId = "other" }));
        measured.ReadGauges();
        Assert.Equal("42", measured.Of("ha.leader.epoch"));
        Assert.Equal("1", measured.Of("ha.is_leader"));
        Assert.Equal("1", measured.Of("ha.lease.remaining"));
    }

    [Fact]
    public void Gauges_fall_when_the_lease_runs_out()
    {
        using var measured = new Measured();
        var clock = new FakeTimeProvider();
        measured.Metrics.Attach(new FakeProvider(new LeadershipSnapshot(clock, clock.GetTimestamp() + clock.TimestampFrequency)
        {
            NodeId = "a",
            LeaderId = "a",
            LeadsSelf = true,
            Epoch = 42,
        }));
        clock.Advance(TimeSpan.FromSeconds(2));
        measured.ReadGauges();
        Assert.Equal("0", measured.Of("ha.is_leader"));
        Assert.Equal("0", measured.Of("ha.lease.remaining"));
        Assert.Equal("0", measured.Of("ha.leader.epoch"));
    }

    [Fact]
    public void A_lease_without_an_end_is_not_measured()
    {
        using var measured = new Measured();
        measured.Metrics.Attach(new FakeProvider(new LeadershipSnapshot(new FakeTimeProvider(), long.MaxValue)
        {
            NodeId = "a",
            LeaderId = "a",
            LeaderUrl = "http://a",
            LeadsSelf = true,
        }));
        measured.ReadGauges();
        Assert.Equal("1", measured.Of("ha.is_leader"));
        Assert.Equal("", measured.Of("ha.lease.remaining"));
    }

    [Fact]
    public void Totals_count_where_nobody_listens()
    {
        using var metrics = new HaMetrics();
        metrics.HeartbeatSent("b", TimeSpan.Zero);
        metrics.HeartbeatFailed("b", "x");
        metrics.HeartbeatFailed("b", "x");
        metrics.HeartbeatReceived();
        metrics.HeartbeatRejected("x");
        metrics.LeadershipChanged("won");
        metrics.ConflictSeen("leaders");
        metrics.Write(WriteOutcome.Held, TimeSpan.Zero);
        var totals = metrics.Totals;
        Assert.Equal((1, 2, 1, 1), (totals.HeartbeatsSent, totals.HeartbeatsFailed, totals.HeartbeatsReceived, totals.HeartbeatsRejected));
        Assert.Equal((1, 1, 1, 0), (totals.LeadershipChanges, totals.Conflicts, totals.Writes(WriteOutcome.Held), totals.Writes(WriteOutcome.Refused)));
    }
}
