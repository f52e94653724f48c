using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Ha.Telemetry;

/// <summary>
/// The meter <c>Ha</c>. Names, units and tags are listed in docs/operations.md and compared with it by a test.
/// Tags are built only when somebody listens. Thread-safe.
/// </summary>
internal sealed class HaMetrics : IDisposable
{
    public const string MeterName = "Ha";

    // A heartbeat takes a fraction of a millisecond on a good network, a held write as long as a failover.
    private static readonly InstrumentAdvice<double> _seconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    private readonly Meter _meter;
    private readonly bool _ownsMeter;
    private readonly Counter<long> _changes;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _received;
    private readonly Counter<long> _rejected;
    private readonly Histogram<double> _roundTrip;
    private readonly Histogram<double> _writes;
    private readonly Histogram<double> _reads;
    private readonly Counter<long> _positions;
    private ILeaderProvider? _provider;

    /// <param name="factory">Makes and owns the meter; null: this object does.</param>
    public HaMetrics(IMeterFactory? factory = null)
    {
        _ownsMeter = factory is null;
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _changes = _meter.CreateCounter<long>(
            "ha.leadership.changes", "{change}", "Changes of leadership that this node saw.");
        _conflicts = _meter.CreateCounter<long>(
            "ha.conflicts", "{conflict}", "Members that contradict each other: two leaders, one id twice, other settings.");
        _sent = _meter.CreateCounter<long>(
            "ha.heartbeats.sent", "{heartbeat}", "Heartbeats sent to peers; with error.type when no usable answer came.");
        _received = _meter.CreateCounter<long>(
            "ha.heartbeats.received", "{heartbeat}", "Heartbeats of peers that were taken.");
        _rejected = _meter.CreateCounter<long>(
            "ha.heartbeats.rejected", "{heartbeat}", "Heartbeats that were refused before they could change anything.");
        _roundTrip = _meter.CreateHistogram(
            "ha.heartbeat.duration", "s", "Time from sending a heartbeat to its verified answer.", tags: null, _seconds);
        _writes = _meter.CreateHistogram(
            "ha.write.duration", "s", "Time that writes spent on this node while it was not the leader.", tags: null, _seconds);
        _reads = _meter.CreateHistogram(
            "ha.read.duration", "s", "Time until it was known where a read with a position can be served.", tags: null, _seconds);
        _positions = _meter.CreateCounter<long>(
            "ha.positions", "{position}", "Positions that answers to writes took along or went without, and those of requests that were ignored.");
    }

    /// <summary>This node's totals since start.</summary>
    public HaCounters Totals { get; } = new();

    /// <summary>Starts the gauges. The first provider stays; later calls do nothing.</summary>
    public void Attach(ILeaderProvider provider)
    {
        if (Interlocked.CompareExchange(ref _provider, provider, comparand: null) is not null)
        {
            return;
        }

        _meter.CreateObservableGauge(
            "ha.leader.epoch", () => KnownEpoch(provider.Current), "{epoch}", "Epoch of the leader this node knows; 0 when none.");
        _meter.CreateObservableGauge(
            "ha.is_leader", () => provider.IsLeader ? 1 : 0, "{leader}", "1 while this node holds a valid lease, else 0.");
        _meter.CreateObservableGauge(
            "ha.stands", () => Stands(provider), "{node}", "0 while a pause or the application's health keeps this node from leading, else 1; nothing for a static leader.");
        _meter.CreateObservableGauge(
            "ha.lease.remaining", () => Remaining(provider), "s", "What is left of the leader's lease; nothing for a static leader.");
    }

    public void LeadershipChanged(string change)
    {
        Totals.AddChange();
        if (_changes.Enabled)
        {
            _changes.Add(1, new KeyValuePair<string, object?>("ha.change", change));
        }
    }

    public void ConflictSeen(string kind)
    {
        Totals.AddConflict();
        if (_conflicts.Enabled)
        {
            _conflicts.Add(1, new KeyValuePair<string, object?>("ha.conflict", kind));
        }
    }

    /// <summary>A heartbeat to <paramref name="peer"/> was answered.</summary>
    /// <param name="peer">The peer's URL or id: one of the configured few.</param>
    /// <param name="roundTrip">From before serialising to after verifying.</param>
    public void HeartbeatSent(string peer, TimeSpan roundTrip)
    {
        Totals.AddSent();
        if (_sent.Enabled)
        {
            _sent.Add(1, new KeyValuePair<string, object?>("ha.peer", peer));
        }

        if (_roundTrip.Enabled)
        {
            _roundTrip.Record(roundTrip.TotalSeconds, new KeyValuePair<string, object?>("ha.peer", peer));
        }
    }

    /// <summary>A heartbeat to <paramref name="peer"/> got no usable answer.</summary>
    /// <param name="peer">The peer's URL or id: one of the configured few.</param>
    /// <param name="reason">One of a few fixed words, never a message.</param>
    public void HeartbeatFailed(string peer, string reason)
    {
        Totals.AddFailed();
        if (_sent.Enabled)
        {
            _sent.Add(1, new TagList { { "ha.peer", peer }, { "error.type", reason } });
        }
    }

    public void HeartbeatReceived()
    {
        Totals.AddReceived();
        _received.Add(1);
    }

    /// <param name="reason">One of a few fixed words, never a message.</param>
    public void HeartbeatRejected(string reason)
    {
        Totals.AddRejected();
        if (_rejected.Enabled)
        {
            _rejected.Add(1, new KeyValuePair<string, object?>("ha.reason", reason));
        }
    }

    /// <summary>A write met this node while it was not the leader.</summary>
    public void Write(WriteOutcome outcome, TimeSpan duration)
    {
        Totals.AddWrite(outcome);
        if (_writes.Enabled)
        {
            _writes.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("ha.write.outcome", Word(outcome)));
        }
    }

    /// <summary>A read with a position came to this node.</summary>
    public void Read(ReadOutcome outcome, TimeSpan waited)
    {
        if (_reads.Enabled)
        {
            _reads.Record(waited.TotalSeconds, new KeyValuePair<string, object?>("ha.read.outcome", Word(outcome)));
        }
    }

    public void Position(PositionOutcome outcome)
    {
        if (_positions.Enabled)
        {
            _positions.Add(1, new KeyValuePair<string, object?>("ha.position.outcome", Word(outcome)));
        }
    }

    public static string Word(PositionOutcome outcome) => outcome switch
    {
        PositionOutcome.Issued => "issued",
        PositionOutcome.Unread => "unread",
        PositionOutcome.Malformed => "malformed",
        PositionOutcome.UnknownKey => "unknown_key",
        PositionOutcome.BadSignature => "bad_signature",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, message: null),
    };

    public void Dispose()
    {
        if (_ownsMeter)
        {
            _meter.Dispose();
        }
    }

    private static string Word(WriteOutcome outcome) => outcome switch
    {
        WriteOutcome.Forwarded => "forwarded",
        WriteOutcome.Redirected => "redirected",
        WriteOutcome.Held => "held",
        WriteOutcome.Refused => "refused",
        WriteOutcome.Unknown => "unknown",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, message: null),
    };

    private static string Word(ReadOutcome outcome) => outcome switch
    {
        ReadOutcome.Reached => "reached",
        ReadOutcome.Leader => "leader",
        ReadOutcome.Refused => "refused",
        ReadOutcome.Cancelled => "cancelled",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, message: null),
    };

    private static long KnownEpoch(LeadershipSnapshot snapshot) => snapshot.KnowsLeader ? snapshot.Epoch : 0;

    private static Measurement<int>[] Stands(ILeaderProvider provider) =>
        provider.Control?.View().Members.FirstOrDefault(member => member.IsSelf) is { } self
            ? [new Measurement<int>(self.Paused || self.Unhealthy ? 0 : 1)]
            : [];

    private static Measurement<double>[] Remaining(ILeaderProvider provider)
    {
        var left = provider.Current.LeaseRemaining;
        return left == Timeout.InfiniteTimeSpan ? [] : [new Measurement<double>(left.TotalSeconds)];
    }
}
