namespace Ha.Consistency;

/// <summary>How the wait for a position ended.</summary>
internal enum ReplicaOutcome
{
    /// <summary>This node's replica has reached it.</summary>
    Reached,

    /// <summary>Not in time.</summary>
    Behind,

    /// <summary>As many reads as may wait are waiting already.</summary>
    Full,

    /// <summary>The replica could not say.</summary>
    Unknown,

    /// <summary>The request was cancelled.</summary>
    Cancelled,
}

/// <summary>
/// How far this node's replica is, and the reads that wait for it. One loop looks for all of them, and only while there are any; a waiting
/// read costs a small object, a timer and its registration for the request's cancellation. Thread-safe.
/// </summary>
internal sealed class ReplicaWatch : IDisposable
{
    /// <summary>
    /// For so long a look counts: shorter than any server takes to start again, which may then be further behind.
    /// </summary>
    public static readonly TimeSpan Trust = TimeSpan.FromMilliseconds(25);

    private const long NoNumber = -1;

    private readonly ReadConsistency _replica;
    private readonly TimeProvider _clock;
    private readonly Action<Exception> _failed;
    private readonly TimeSpan _pollInterval;
    private readonly Lock _lock = new();
    private readonly HashSet<WaitingRead> _waiting = [];
    private readonly CancellationTokenSource _stopping = new();
    private Look _last;
    private CancellationTokenSource? _pause;
    private long _pausedFor = NoNumber;
    private long _stuckAt = NoNumber;
    private long _arrivals;
    private bool _looping;
    private bool _silent;

    /// <param name="replica">The application's.</param>
    /// <param name="clock">All times here are its timestamps.</param>
    /// <param name="failed">Told why the replica could not say.</param>
    public ReplicaWatch(ReadConsistency replica, TimeProvider clock, Action<Exception> failed)
    {
        (_replica, _clock, _failed) = (replica, clock, failed);
        _pollInterval = replica.PollInterval < replica.MaxWait / 2 ? replica.PollInterval : replica.MaxWait / 2;
        _last = new Look(NoNumber, clock.GetTimestamp());
    }

    /// <summary>How many wait now.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>True when that is known already.</summary>
    public bool HasReached(long number)
    {
        var last = Volatile.Read(ref _last);
        return number <= last.Number && _clock.GetElapsedTime(last.At) <= Trust;
    }

    /// <summary>
    /// Waits until the replica has reached a position. Nobody waits for one that has not moved while another read has waited in vain, until
    /// it moves, nor, but for one read at a time, for one that could not say.
    /// </summary>
    /// <param name="number">The position.</param>
    /// <param name="onlyLook">Not longer than one look takes that begins after this call.</param>
    /// <param name="patience">For how long.</param>
    /// <param name="cancelled">Gives the place back.</param>
    public async ValueTask<ReplicaOutcome> WaitAsync(long number, bool onlyLook, TimeSpan patience, CancellationToken cancelled)
    {
        WaitingRead waiter;
        bool starts;
        lock (_lock)
        {
            if (_waiting.Count >= _replica.MaxWaiting || _stopping.IsCancellationRequested)
            {
                return ReplicaOutcome.Full;
            }

            if (_silent && _looping)
            {
                // The look that runs may take as long as the one that failed.
                return ReplicaOutcome.Unknown;
            }

            waiter = new WaitingRead(number, _arrivals++, onlyLook);
            _waiting.Add(waiter);
            (starts, _looping) = (!_looping, true);
            if (number < _pausedFor || (onlyLook && _pausedFor != NoNumber))
            {
                WakeNeedsLock();
            }
        }

        if (starts)
        {
            CleanFlow.Start(RunAsync);
        }

        using var timer = _clock.CreateTimer(
            static w => ((WaitingRead)w!).TrySetResult(ReplicaOutcome.Behind), waiter, patience, Timeout.InfiniteTimeSpan);
        using var registration = cancelled.UnsafeRegister(static w => ((WaitingRead)w!).TrySetResult(ReplicaOutcome.Cancelled), waiter);
        var outcome = await waiter.Task;
        lock (_lock)
        {
            if (_waiting.Remove(waiter) && _waiting.Count == 0)
            {
                WakeNeedsLock();
            }

            if (outcome == ReplicaOutcome.Behind && waiter.Seen == _last.Number)
            {
                _stuckAt = _last.Number;
            }
        }

        return outcome;
    }

    public void Dispose()
    {
        _stopping.Cancel();
        lock (_lock)
        {
            foreach (var waiter in _waiting)
            {
                waiter.TrySetResult(ReplicaOutcome.Behind);
            }

            WakeNeedsLock();
        }
    }

    private async Task RunAsync()
    {
        // What the application was asked to wait for, and said to be there.
        var told = NoNumber;
        while (true)
        {
            long arrivals;
            lock (_lock)
            {
                if (_waiting.Count == 0 || _stopping.IsCancellationRequested)
                {
                    _looping = false;
                    return;
                }

                arrivals = _arrivals;
            }

            var reached = await LookAsync();
            using var pause = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            long lowest;
            bool polls;
            lock (_lock)
            {
                SettleNeedsLock(reached, arrivals);
                if (_waiting.Count == 0)
                {
                    _looping = false;
                    return;
                }

                // One that says so too early must not make this loop a busy one.
                lowest = _waiting.Min(static waiter => waiter.Number);
                polls = _replica.WaitForProgress is null || reached is null || told == lowest;
                (_pause, _pausedFor) = (pause, polls ? NoNumber : lowest);
            }

            told = await PauseAsync(polls ? null : _replica.WaitForProgress, lowest, pause.Token) ? lowest : NoNumber;
            lock (_lock)
            {
                (_pause, _pausedFor) = (null, NoNumber);
            }

            if (!polls && told == NoNumber)
            {
                // Those who come while others wait wake this loop, each of them, and share the next look.
                await PauseAsync(progress: null, lowest, _stopping.Token);
            }
        }
    }

    /// <returns>Null: it could not say.</returns>
    private async Task<long?> LookAsync()
    {
        var at = _clock.GetTimestamp();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            await using var timer = _clock.CreateTimer(
                static l => _ = ((CancellationTokenSource)l!).CancelAsync(), limit, _replica.MaxWait, Timeout.InfiniteTimeSpan);
            var number = ReadPosition.Checked(await _replica.ReadReached(limit.Token));
            Volatile.Write(ref _last, new Look(number, at));
            return number;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            if (!_stopping.IsCancellationRequested)
            {
                _failed(failure);
            }

            return null;
        }
    }

    /// <param name="reached">What the look has shown; null: nothing.</param>
    /// <param name="arrivals">Those who came before it began.</param>
    private void SettleNeedsLock(long? reached, long arrivals)
    {
        _silent = reached is null;
        _stuckAt = _silent || _stuckAt == reached ? _stuckAt : NoNumber;
        foreach (var waiter in _waiting)
        {
            var outcome = waiter.Number <= reached ? ReplicaOutcome.Reached
                : waiter.Arrival >= arrivals ? (ReplicaOutcome?)null
                : reached is null ? ReplicaOutcome.Unknown
                : waiter.OnlyLooks || _stuckAt == reached ? ReplicaOutcome.Behind
                : null;
            if (outcome is { } done)
            {
                waiter.TrySetResult(done);
            }
            else
            {
                waiter.Seen ??= reached;
            }
        }

        _waiting.RemoveWhere(static waiter => waiter.Task.IsCompleted);
    }

    /// <returns>True: the application says that the position is reached.</returns>
    private async Task<bool> PauseAsync(Func<long, CancellationToken, ValueTask>? progress, long lowest, CancellationToken over)
    {
        if (progress is null)
        {
            await Task.Delay(_pollInterval, _clock, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return false;
        }

        try
        {
            await progress(lowest, over);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            if (!over.IsCancellationRequested)
            {
                _failed(failure);
            }
        }

        return !over.IsCancellationRequested;
    }

    // What waits for that token may do anything, and does not do it under the lock.
    private void WakeNeedsLock() => _ = _pause?.CancelAsync();

    /// <param name="Number">What it has shown.</param>
    /// <param name="At">When it began.</param>
    private sealed record Look(long Number, long At);

    private sealed class WaitingRead(long number, long arrival, bool onlyLooks)
        : TaskCompletionSource<ReplicaOutcome>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public long Number => number;

        public long Arrival => arrival;

        public bool OnlyLooks => onlyLooks;

        /// <summary>Where the replica was at the first look; null: there was none yet.</summary>
        public long? Seen { get; set; }
    }
}
