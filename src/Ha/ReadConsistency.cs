namespace Ha;

/// <summary>
/// How reads see the writes that came before them where each node reads a replica of its own that lags behind: an answer to a write
/// carries a position, and a read that brings it back waits until this node's replica has reached it, or goes to the leader.
/// See docs/consistency.md. Not thread-safe; read once, when the node is made.
/// </summary>
/// <remarks>
/// A position is a number of 0 or more that the application's data gives out: each commit raises it, under all leaders, and a replica
/// that has reached it holds all that was committed before it was read.
/// </remarks>
public class ReadConsistency
{
    private TimeSpan _maxWait = TimeSpan.FromSeconds(1);
    private TimeSpan _pollInterval = TimeSpan.FromMilliseconds(5);
    private int _maxWaiting = 1000;
    private TimeSpan? _cookieLifetime;

    /// <param name="readWritten">
    /// The position of what the leader writes to, after a write: not lower than that of any commit before the call. Called by the leader,
    /// once at a time and shared by the writes that wait for it; an answer waits for it for 1 s at most, and its token fires after 5 s.
    /// Where it fails answers leave without.
    /// </param>
    /// <param name="readReached">
    /// The position that this node's reads have reached: those that begin after the call see all of it. Called once at a time, while reads
    /// wait; its token fires after <see cref="MaxWait"/>. Where it fails reads go to the leader.
    /// </param>
    public ReadConsistency(Func<CancellationToken, ValueTask<long>> readWritten, Func<CancellationToken, ValueTask<long>> readReached)
    {
        ArgumentNullException.ThrowIfNull(readWritten);
        ArgumentNullException.ThrowIfNull(readReached);
        ReadWritten = readWritten;
        ReadReached = readReached;
    }

    /// <summary>The position after a write.</summary>
    public Func<CancellationToken, ValueTask<long>> ReadWritten { get; }

    /// <summary>The position that this node has reached.</summary>
    public Func<CancellationToken, ValueTask<long>> ReadReached { get; }

    /// <value>
    /// Returns when the replica may have reached the given position; the token fires when nobody waits for it any more. One call at a time,
    /// for the lowest position that is waited for. Default null: <see cref="ReadReached"/> is called every <see cref="PollInterval"/>.
    /// </value>
    public Func<long, CancellationToken, ValueTask>? WaitForProgress { get; set; }

    /// <value>
    /// How long a read waits for its position at most before it goes to the leader; 10 ms to 1 h. Default 1 s.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">Another value.</exception>
    public TimeSpan MaxWait
    {
        get => _maxWait;
        set => _maxWait = InRange(value, TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1));
    }

    /// <value>
    /// From one look at the replica to the next, while reads wait; 1 ms to 1 min, and never longer than half of <see cref="MaxWait"/>.
    /// Default 5 ms.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">Another value.</exception>
    public TimeSpan PollInterval
    {
        get => _pollInterval;
        set => _pollInterval = InRange(value, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
    }

    /// <value>How many reads may wait at once, 0 or more; the next one goes to the leader at once. Default 1000.</value>
    /// <exception cref="ArgumentOutOfRangeException">A negative value.</exception>
    public int MaxWaiting
    {
        get => _maxWaiting;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _maxWaiting = value;
        }
    }

    /// <value>
    /// For browsers: how long the cookie with the position of the last write lives; 1 s to 1 day, and more than any lag. Default null:
    /// there is no cookie, and clients send the header.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">Another value.</exception>
    public TimeSpan? CookieLifetime
    {
        get => _cookieLifetime;
        set => _cookieLifetime = value is { } lifetime ? InRange(lifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)) : null;
    }

    private static TimeSpan InRange(TimeSpan value, TimeSpan least, TimeSpan most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, least, nameof(value));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, most, nameof(value));
        return value;
    }
}
