namespace Ha.Tests.Client;

/// <summary>
/// Time for one call: a <c>Task.Delay</c> passes at once and moves the clock, while a timeout (the timer of a
/// <see cref="CancellationTokenSource"/>) fires only when the clock is moved past it.
/// </summary>
internal sealed class VirtualTime : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<Timeout> _timeouts = [];
    private readonly List<TimeSpan> _delays = [];
    private long _ticks = 1_000_000_000;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Every delay that was awaited, in order.</summary>
    public IReadOnlyList<TimeSpan> Delays
    {
        get
        {
            lock (_lock)
            {
                return [.. _delays];
            }
        }
    }

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2025, 7, 20, 0, 0, 0, TimeSpan.Zero).AddTicks(GetTimestamp());

    public void Advance(TimeSpan by)
    {
        List<Timeout> due;
        lock (_lock)
        {
            var now = Interlocked.Add(ref _ticks, by.Ticks);
            due = _timeouts.FindAll(timeout => timeout.Due <= now);
            _timeouts.RemoveAll(due.Contains);
        }

        due.ForEach(timeout => timeout.Fire());
    }

    /// <summary>A node that does not answer: time passes until somebody gives up.</summary>
    public async Task<HttpResponseMessage> HangAsync(CancellationToken cancellationToken)
    {
        long first;
        lock (_lock)
        {
            first = _timeouts.Min(timeout => timeout.Due);
        }

        Advance(TimeSpan.FromTicks(first - GetTimestamp()));

        // Whoever gives up has done so by now.
        cancellationToken.ThrowIfCancellationRequested();
        throw new InvalidOperationException("Nobody gave up.");
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (state is CancellationTokenSource)
        {
            var timeout = new Timeout(this, callback, state) { Due = GetTimestamp() + dueTime.Ticks };
            lock (_lock)
            {
                _timeouts.Add(timeout);
            }

            return timeout;
        }

        lock (_lock)
        {
            _delays.Add(dueTime);
        }

        Advance(dueTime);
        ThreadPool.QueueUserWorkItem(_ => callback(state));
        return new Timeout(this, callback, state);
    }

    private sealed class Timeout(VirtualTime owner, TimerCallback callback, object? state) : ITimer
    {
        public long Due { get; set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner._lock)
            {
                owner._timeouts.Remove(this);
                if (dueTime >= TimeSpan.Zero)
                {
                    Due = owner.GetTimestamp() + dueTime.Ticks;
                    owner._timeouts.Add(this);
                }
            }

            return true;
        }

        public void Dispose()
        {
            lock (owner._lock)
            {
                owner._timeouts.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
