namespace Ha.Testing.Virtual;

/// <summary>The clock of one process. It goes on while the process is stopped; its timers then fire when it wakes up. Thread-safe.</summary>
internal sealed class NodeClock(VirtualTime time, NodeLife life) : TimeProvider
{
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long GetTimestamp() => time.Ticks;

    public override DateTimeOffset GetUtcNow() => time.Wall;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(time, life, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(VirtualTime time, NodeLife life, TimerCallback callback, object? state) : ITimer
    {
        private readonly Lock _lock = new();
        private long _setting;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (_lock)
            {
                if (_setting < 0)
                {
                    return false;
                }

                _setting++;
                PlanNeedsLock(dueTime, period);
                return true;
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _setting = -1;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void PlanNeedsLock(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime >= TimeSpan.Zero)
            {
                var setting = _setting;
                time.Plan(dueTime, life, () => Fire(setting, period));
            }
        }

        private void Fire(long setting, TimeSpan period)
        {
            lock (_lock)
            {
                if (setting != _setting)
                {
                    return;
                }

                if (period > TimeSpan.Zero)
                {
                    PlanNeedsLock(period, period);
                }
            }

            callback(state);
        }
    }
}
