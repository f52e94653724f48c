using Microsoft.Extensions.Primitives;

namespace Ha.Endpoints.GrpcHealth;

/// <summary>How this node was at one moment.</summary>
internal sealed class HealthMoment(bool leads, bool ready, bool ended)
{
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>It leads, and its lease is valid.</summary>
    public bool Leads { get; } = leads;

    /// <summary>The same as <c>/_ha/healthz/ready</c>.</summary>
    public bool Ready { get; } = ready;

    /// <summary>Nobody is told anything any more: the process stops.</summary>
    public bool Ended { get; } = ended;

    /// <summary>Completes when it is no longer like this.</summary>
    public Task Over => _over.Task;

    public void End() => _over.TrySetResult();
}

/// <summary>
/// Tells all watchers at once that this node's health has changed. One timer for all of them, and that only while this
/// node leads: a lease that is not renewed ends without a word. Thread-safe.
/// </summary>
internal sealed class HealthFeed : IDisposable
{
    // A lease is over at its end, not before; a timer may be a little early.
    private static readonly TimeSpan _margin = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private readonly ILeaderProvider _provider;
    private readonly CancellationToken _stopping;
    private readonly ITimer _timer;
    private readonly IDisposable _changes;
    private readonly CancellationTokenRegistration _stops;
    private HealthMoment _moment = new(leads: false, ready: false, ended: false);
    private bool _armed;

    public HealthFeed(ILeaderProvider provider, TimeProvider clock, CancellationToken stopping)
    {
        (_provider, _stopping) = (provider, stopping);
        _timer = clock.CreateTimer(static self => ((HealthFeed)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _changes = ChangeToken.OnChange(provider.GetChangeToken, () => Look());
        _stops = stopping.UnsafeRegister(static self => ((HealthFeed)self!).Look(), this);
        Look();
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
            var ready = ReadinessRule.Of(snapshot, _stopping) == Readiness.Ready;
            if (leads && !_armed && !before.Ended && snapshot.LeaseRemaining is var left && left != Timeout.InfiniteTimeSpan)
            {
                _armed = true;
                _timer.Change(left + _margin, Timeout.InfiniteTimeSpan);
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

    /// <summary>Every watch ends now, and those that come later end at once.</summary>
    public void End()
    {
        HealthMoment before;
        lock (_lock)
        {
            before = _moment;
            Volatile.Write(ref _moment, new HealthMoment(before.Leads, before.Ready, ended: true));
        }

        before.End();
    }

    public void Dispose()
    {
        _changes.Dispose();
        _stops.Dispose();
        _timer.Dispose();
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            _armed = false;
        }

        Look();
    }
}
