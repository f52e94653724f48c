namespace Ha.Telemetry;

/// <summary>
/// This node's totals since start, for the status page. The meter cannot be read back, and the page must work
/// where nobody listens to the meter. Thread-safe.
/// </summary>
internal sealed class HaCounters
{
    private static readonly int _outcomes = Enum.GetValues<WriteOutcome>().Length;

    private readonly long[] _writes = new long[_outcomes];
    private long _sent;
    private long _failed;
    private long _received;
    private long _rejected;
    private long _changes;
    private long _conflicts;

    /// <summary>Heartbeats that were answered.</summary>
    public long HeartbeatsSent => Interlocked.Read(ref _sent);

    /// <summary>Heartbeats without a usable answer.</summary>
    public long HeartbeatsFailed => Interlocked.Read(ref _failed);

    public long HeartbeatsReceived => Interlocked.Read(ref _received);

    public long HeartbeatsRejected => Interlocked.Read(ref _rejected);

    public long LeadershipChanges => Interlocked.Read(ref _changes);

    public long Conflicts => Interlocked.Read(ref _conflicts);

    public long Writes(WriteOutcome outcome) => Interlocked.Read(ref _writes[(int)outcome]);

    internal void AddSent() => Interlocked.Increment(ref _sent);

    internal void AddFailed() => Interlocked.Increment(ref _failed);

    internal void AddReceived() => Interlocked.Increment(ref _received);

    internal void AddRejected() => Interlocked.Increment(ref _rejected);

    internal void AddChange() => Interlocked.Increment(ref _changes);

    internal void AddConflict() => Interlocked.Increment(ref _conflicts);

    internal void AddWrite(WriteOutcome outcome) => Interlocked.Increment(ref _writes[(int)outcome]);
}
