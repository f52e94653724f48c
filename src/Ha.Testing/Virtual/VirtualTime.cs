namespace Ha.Testing.Virtual;

/// <summary>
/// Time that stands still until it is told to go on, and what is to happen when. What happens runs one after the other on the
/// thread that lets time pass; at one moment in the order in which it was planned. Thread-safe.
/// </summary>
internal sealed class VirtualTime
{
    private static readonly DateTimeOffset _begin = new(2001, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // Not 0: to those who measure leases that is long ago.
    private static readonly long _firstTick = TimeSpan.TicksPerHour;

    private readonly Lock _lock = new();
    private readonly PriorityQueue<(NodeLife? Life, Action Happen), (long At, long Order)> _plan = new();
    private long _now = _firstTick;
    private long _planned;

    /// <summary>Since the beginning.</summary>
    public TimeSpan Elapsed => new(Ticks - _firstTick);

    /// <summary>What a monotonic clock shows.</summary>
    public long Ticks => Interlocked.Read(ref _now);

    /// <summary>What a wall clock shows; it never parts from the other.</summary>
    public DateTimeOffset Wall => _begin + Elapsed;

    /// <param name="delay">From now.</param>
    /// <param name="life">Who must be running for it to happen: it waits while that one is paused and is lost when it is dead. Null: nobody.</param>
    /// <param name="happen">Called without a lock.</param>
    public void Plan(TimeSpan delay, NodeLife? life, Action happen)
    {
        lock (_lock)
        {
            _plan.Enqueue((life, happen), (_now + Math.Max(0, delay.Ticks), _planned++));
        }
    }

    /// <summary>Lets the next thing happen and time pass until then.</summary>
    /// <returns>False: nothing is planned up to <paramref name="end"/>, which it is now.</returns>
    public bool Next(TimeSpan end)
    {
        Action happen;
        lock (_lock)
        {
            var last = _firstTick + end.Ticks;
            if (!_plan.TryPeek(out _, out var when) || when.At > last)
            {
                Interlocked.Exchange(ref _now, Math.Max(_now, last));
                return false;
            }

            (var life, happen) = _plan.Dequeue();
            Interlocked.Exchange(ref _now, Math.Max(_now, when.At));
            if (life?.Holds(happen) == true)
            {
                return true;
            }
        }

        happen();
        return true;
    }
}
