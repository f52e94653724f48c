using Ha.Leadership;
using Microsoft.Extensions.Primitives;

namespace Ha.Forwarding;

/// <summary>
/// The waiting room for requests that need a leader. All of them share one timer and one subscription; a waiting
/// request costs one small object and its registration for the request's cancellation. Thread-safe.
/// </summary>
/// <remarks>
/// A new leader is cold, and a crowd that falls upon it all at once opens a connection each and waits for all others.
/// So those who may move on leave in the order of their arrival, <see cref="Crowd"/> at a time: one more for each
/// that is through (<see cref="Moved"/>), and as many again whenever that takes too long.
/// </remarks>
internal sealed class WriteHold : IDisposable
{
    internal const int Crowd = 32;

    private static readonly TimeSpan _crowdPatience = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly SortedSet<HeldWrite> _byTime = new(HeldWrite.Order);
    private readonly Queue<HeldWrite> _leaving = new();
    private readonly ILeaderProvider _provider;
    private readonly TimeProvider _clock;
    private readonly int _max;
    private readonly ITimer _timer;
    private readonly IDisposable _subscription;
    private long _timerDue = long.MaxValue;
    private long _crowdDue = long.MaxValue;
    private int _underWay;
    private long _arrivals;
    private bool _stopped;

    /// <param name="provider">Who tells of a leader.</param>
    /// <param name="clock">All times here are its timestamps.</param>
    /// <param name="max">How many may wait at once.</param>
    public WriteHold(ILeaderProvider provider, TimeProvider clock, int max)
    {
        _provider = provider;
        _clock = clock;
        _max = max;
        _timer = clock.CreateTimer(static hold => ((WriteHold)hold!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _subscription = ChangeToken.OnChange(provider.GetChangeToken, OnChange);
    }

    /// <summary>How many wait now.</summary>
    public int Held
    {
        get
        {
            lock (_lock)
            {
                return _byTime.Count + _leaving.Count;
            }
        }
    }

    /// <summary>Waits until the request can move on. After <see cref="HoldOutcome.MoveOn"/> call <see cref="Moved"/>.</summary>
    /// <param name="refusedBy">Who refused it last, so that it waits for another one; null: any leader will do.</param>
    /// <param name="until">When to give up.</param>
    /// <param name="retryAt">When to move on in any case; <see cref="long.MaxValue"/>: not by time.</param>
    /// <param name="cancelled">Gives the place back.</param>
    public async ValueTask<HoldOutcome> WaitAsync(
        LeadershipSnapshot? refusedBy, long until, long retryAt, CancellationToken cancelled)
    {
        var wake = Math.Min(until, retryAt);
        HeldWrite waiter;
        lock (_lock)
        {
            if (_stopped)
            {
                return HoldOutcome.Stopping;
            }

            if (until <= _clock.GetTimestamp())
            {
                return HoldOutcome.TimedOut;
            }

            if (_byTime.Count + _leaving.Count >= _max)
            {
                return HoldOutcome.Full;
            }

            waiter = new HeldWrite(this, until, wake, _arrivals++, refusedBy);
            _byTime.Add(waiter);
            ScheduleNeedsLock();
        }

        // Registered outside of the lock: a token that has fired already runs its callback right here.
        using var registration = cancelled.UnsafeRegister(static w => ((HeldWrite)w!).Cancel(), waiter);

        // A leader that appeared before the waiter stood in line has woken nobody.
        if (waiter.MovesOnWith(_provider.Current))
        {
            Release(waiter, HoldOutcome.MoveOn);
        }

        return await waiter.Task;
    }

    /// <summary>A request that moved on is through, or waits again.</summary>
    public void Moved()
    {
        lock (_lock)
        {
            _underWay--;
            LetGoNeedsLock();
        }
    }

    /// <summary>Lets one go, wherever it stands.</summary>
    public void Release(HeldWrite waiter, HoldOutcome outcome)
    {
        lock (_lock)
        {
            _byTime.Remove(waiter);
            CompleteNeedsLock(waiter, outcome);
        }
    }

    /// <summary>Releases everybody and lets nobody wait any more. For the end of a shutdown.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stopped = true;
            foreach (var waiter in _byTime.Concat(_leaving))
            {
                waiter.TryComplete(HoldOutcome.Stopping);
            }

            _byTime.Clear();
            _leaving.Clear();
        }
    }

    public void Dispose()
    {
        _subscription.Dispose();
        Stop();
        _timer.Dispose();
    }

    private void OnChange()
    {
        var leadership = _provider.Current;
        if (!leadership.TakesWrites())
        {
            return;
        }

        lock (_lock)
        {
            HeldWrite[] leaving = [.. _byTime.Where(waiter => waiter.MovesOnWith(leadership))];
            _byTime.ExceptWith(leaving);
            Array.Sort(leaving, HeldWrite.Seniority);
            Array.ForEach(leaving, _leaving.Enqueue);
            LetGoNeedsLock();
        }
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            _timerDue = long.MaxValue;
            var now = _clock.GetTimestamp();
            while (_byTime.Min is { } first && first.Wake <= now)
            {
                _byTime.Remove(first);
                CompleteNeedsLock(first, first.RetriesAtWake ? HoldOutcome.MoveOn : HoldOutcome.TimedOut);
            }

            if (_crowdDue <= now)
            {
                _crowdDue = long.MaxValue;
                LetGoNeedsLock(Crowd);
            }

            ScheduleNeedsLock();
        }
    }

    /// <returns>False: it has left already.</returns>
    private bool CompleteNeedsLock(HeldWrite waiter, HoldOutcome outcome)
    {
        var completed = waiter.TryComplete(outcome);
        if (completed && outcome == HoldOutcome.MoveOn)
        {
            _underWay++;
        }

        return completed;
    }

    /// <param name="least">So many at least, even if none is through.</param>
    private void LetGoNeedsLock(int least = 0)
    {
        var room = Math.Max(least, Crowd - _underWay);
        while (room > 0 && _leaving.TryDequeue(out var waiter))
        {
            room -= CompleteNeedsLock(waiter, HoldOutcome.MoveOn) ? 1 : 0;
        }

        if (_leaving.Count > 0 && _crowdDue == long.MaxValue)
        {
            _crowdDue = _clock.GetTimestamp() + (long)(_crowdPatience.TotalSeconds * _clock.TimestampFrequency);
            ScheduleNeedsLock();
        }
    }

    // The timer is only ever moved forward here; when it fires for somebody who has left, it finds the next one.
    private void ScheduleNeedsLock()
    {
        var next = Math.Min(_byTime.Min?.Wake ?? long.MaxValue, _crowdDue);
        if (next >= _timerDue)
        {
            return;
        }

        _timerDue = next;
        var due = _clock.GetElapsedTime(_clock.GetTimestamp(), next);

        // A timer counts whole milliseconds and must not fire before the time, or it would find nobody.
        var milliseconds = Math.Max(0, Math.Ceiling(due.TotalMilliseconds));
        _timer.Change(TimeSpan.FromMilliseconds(milliseconds), Timeout.InfiniteTimeSpan);
    }
}
