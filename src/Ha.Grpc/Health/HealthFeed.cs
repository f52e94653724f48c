using Microsoft.Extensions.Primitives;

namespace Ha.Grpc.Health;

/// <summary>
/// Tells all watchers at once that this node's health has changed. One timer for all of them, and that only while this
/// node leads: a lease that is not renewed ends without a word. Thread-safe.
/// </summary>
internal sealed class HealthFeed : IDisposable
{
    // A lease is over at its end, not before; a timer may be a little early.
    private static readonly TimeSpan _margin = TimeSpan.FromMilliseconds(1);

    // What a timer takes is less than what a provider may say.
    private static readonly TimeSpan _longest = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private readonly ILeaderProvider _provider;
    private readonly INodeReadiness _readiness;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private readonly IDisposable _changes;
    private readonly CancellationTokenRegistration _leaves;
    private readonly CancellationTokenRegistration _closes;
    private HealthMoment _moment = new(leads: false, ready: false, ended: false);
    private long _due = long.MaxValue;

    public HealthFeed(ILeaderProvider provider, INodeReadiness readiness, TimeProvider clock)
    {
        (_provider, _readiness, _clock) = (provider, readiness, clock);
        _timer = clock.CreateTimer(static self => ((HealthFeed)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _changes = ChangeToken.OnChange(provider.GetChangeToken, () => Look());
        _leaves = readiness.Leaving.UnsafeRegister(static self => ((HealthFeed)self!).Look(), this);
        Look();
        _closes = readiness.Closing.UnsafeRegister(static self => ((HealthFeed)self!).End(), this);
    }

    /// <summary>What was noticed last; read it when an earlier moment is over.</summary>
    public HealthMoment Latest => Volatile.Read(ref _moment);

    /// <summary>
    /// How this node is now. The answer's <see cref="HealthMoment.Over"/> completes at the first change after this
    /// call, whoever notices it.
    /// </summary>
    public HealthMoment Look()
    {
        HealthMoment before, now;
        lock (_lock)
        {
            before = _moment;
            var snapshot = _provider.Current;
            var leads = snapshot.IsLeader;
            var ready = _readiness.IsReady;
            if (leads && !before.Ended && snapshot.LeaseRemaining is var left && left != Timeout.InfiniteTimeSpan)
            {
                ArmNeedsLock((left < _longest ? left : _longest) + _margin);
            }

            if (before.Ended || (before.Leads == leads && before.Ready == ready))
            {
                return before;
            }

            now = new HealthMoment(leads, ready, ended: false);
            Volatile.Write(ref _moment, now);
        }

        before.End();
        return now;
    }

    public void Dispose()
    {
        _changes.Dispose();
        _leaves.Dispose();
        _closes.Dispose();
        _timer.Dispose();
    }

    /// <summary>Renewals leave the timer as it is: it fires at the end that was known first, and looks again.</summary>
    private void ArmNeedsLock(TimeSpan left)
    {
        var due = _clock.GetTimestamp() + (long)(left.TotalSeconds * _clock.TimestampFrequency);
        if (due < _due)
        {
            _due = due;
            _timer.Change(left, Timeout.InfiniteTimeSpan);
        }
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            _due = long.MaxValue;
        }

        Look();
    }

    /// <summary>Every watch ends now, and those that come later end at once.</summary>
    private void End()
    {
        HealthMoment before;
        lock (_lock)
        {
            before = _moment;
            Volatile.Write(ref _moment, new HealthMoment(before.Leads, before.Ready, ended: true));
        }

        before.End();
    }
}
