using Ha.Election;
using Ha.Telemetry;
using Microsoft.Extensions.Primitives;

namespace Ha.Leadership;

/// <summary>
/// Owns one core that decides about leadership: its lock, its clock and its timer. Each step of the core runs under the lock,
/// and what follows from it outside: what is to be sent, events, the drain, the application's fence. Whom the core asks, the
/// members or a store, is the subclass's part. Starts with <see cref="Start"/>, ends when disposed. Thread-safe.
/// </summary>
/// <typeparam name="TCore">The core; used under the lock only.</typeparam>
internal abstract class LeadershipRunner<TCore> : ILeadershipRunner
    where TCore : ILeadershipCore
{
    private const string StartKeptWaiting =
        "This waits for a leader, and the start of this node's server has not begun. Before its server listens a node neither leads " +
        "nor hears who does, so a start that waits for that waits for ever. Wait in BackgroundService.ExecuteAsync, in " +
        "IHostedLifecycleService.StartedAsync or after StartAsync(), not before Run(); without AddHa(), call SetReady() first.";

    private const int MaxClockReads = 4;
    private const long MaxClockReadMicros = 10_000;
    private static readonly TimeSpan _startPatience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly TCore _core;
    private readonly ApplicationFence? _fence;
    private readonly TimeSpan _fencePause;
    private readonly TimeSpan _releasePatience;
    private readonly LeadershipPublisher _publisher;
    private readonly EventOrder _events;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _startKeptWaiting = new();
    private readonly TaskCompletionSource _releaseKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _shuttingDown;
    private bool _drainRuns;
    private long _fenceRaisedFor;
    private long _nextFenceCheck = long.MinValue;
    private volatile bool _starts;
    private volatile bool _ready;
    private int _lateStartWatched;
    private int _disposed;

    /// <param name="core">As it was created a moment ago, by the same clock.</param>
    /// <param name="publisher">Shows what the core says.</param>
    /// <param name="fence">What the application's fence needs to know; null: there is none.</param>
    /// <param name="fencePause">Between two tries to raise the fence.</param>
    /// <param name="releasePatience">How long the end of a shutdown waits for the others to hear of it.</param>
    /// <param name="clock">Of leases, limits and pauses.</param>
    /// <param name="telemetry">Told of everything, outside the lock.</param>
    /// <param name="surroundings">What else is taken from the process.</param>
    protected LeadershipRunner(
        TCore core,
        LeadershipPublisher publisher,
        (Func<long, CancellationToken, ValueTask<long>> Raise, TimeSpan Patience)? fence,
        TimeSpan fencePause,
        TimeSpan releasePatience,
        TimeProvider clock,
        ElectionTelemetry telemetry,
        Surroundings surroundings)
    {
        _core = core;
        _publisher = publisher;
        _fencePause = fencePause;
        _releasePatience = releasePatience;
        Clock = clock;
        Telemetry = telemetry;
        Surroundings = surroundings;
        Gate = surroundings.Gate ?? new WriteGate();
        _fence = fence is { } its
            ? new ApplicationFence(its.Raise, its.Patience, clock, surroundings, e => Tell(() => telemetry.FenceFailed(e)), _stopping.Token)
            : null;
        _events = new EventOrder(e => Tell(() => telemetry.Publish(e)));
        _timer = clock.CreateTimer(
            static self => ((LeadershipRunner<TCore>)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public LeadershipSnapshot Current => _publisher.Current;

    public Task Ready => _publisher.Ready;

    public WriteGate Gate { get; }

    public CancellationToken Stopping => _stopping.Token;

    public abstract Task Ended { get; }

    protected TimeProvider Clock { get; }

    protected ElectionTelemetry Telemetry { get; }

    protected Surroundings Surroundings { get; }

    public IChangeToken GetChangeToken() => _publisher.ChangeToken;

    public async Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var change = GetChangeToken();
            if (Current is { KnowsLeader: true } current)
            {
                return current;
            }

            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, typeof(ILeaderProvider));
            var starts = _starts;
            if (!starts && _startKeptWaiting.IsCancellationRequested)
            {
                throw new InvalidOperationException(StartKeptWaiting);
            }

            WatchStart();
            using var either = starts ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _startKeptWaiting.Token);
            await change.FiredAsync(either?.Token ?? cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public ClusterView View()
    {
        lock (_lock)
        {
            return View(_core, _publisher.Current, Clock.NowMicros(), Clock.GetUtcNow());
        }
    }

    public void SetStarting() => _starts = true;

    public virtual void SetListening() => _starts = true;

    public void SetReady()
    {
        (_starts, _ready) = (true, true);
        Step(static (core, now, _) => core.SetReady(now));
    }

    public HandoffStart StepDown(string? toNodeId)
    {
        HandoffStart start = default;
        Step((core, now, _) => start = core.BeginHandoff(toNodeId, HandoffReason.StepDown, now));
        return start;
    }

    public HandoffStart Pause(string? toNodeId)
    {
        HandoffStart start = default;
        Step((core, now, _) => start = core.Pause(toNodeId, now));
        return start;
    }

    public void Resume() => Step(static (core, now, _) => core.Resume(now));

    public void SetTrouble(string? trouble) => Step((core, now, _) => core.SetTrouble(trouble, now));

    public async Task<bool> HandOffForShutdownAsync(CancellationToken cancellationToken)
    {
        var led = false;
        Step((core, now, _) =>
        {
            led = core.Role == NodeRole.Leader && HasOthers(core);
            _shuttingDown = true;
            core.SetDraining(now);
            core.BeginHandoff(null, HandoffReason.Shutdown, now);
        });
        while (true)
        {
            var change = GetChangeToken();
            lock (_lock)
            {
                if (_core.Role != NodeRole.Leader || _stopping.IsCancellationRequested)
                {
                    break;
                }
            }

            await change.FiredAsync(cancellationToken);
        }

        await _releaseKnown.Task.WaitAsync(_releasePatience, Clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return led;
    }

    public void CheckFence(long epoch)
    {
        if (_fence is null)
        {
            return;
        }

        lock (_lock)
        {
            var now = Clock.NowMicros();
            if (_core.NeedsEpochFloor || _core.Epoch != epoch || now < _nextFenceCheck)
            {
                return;
            }

            _nextFenceCheck = now + _fencePause.ToMicros();
        }

        _ = CheckAsync();

        async Task CheckAsync()
        {
            if (await _fence.TryRaiseAsync(epoch) is { } floor)
            {
                Step((core, now, _) => core.ConfirmEpochFloor(floor, epoch, now));
            }
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        // First the end, which nobody can hold up: what others registered on the token may take its time, or throw.
        Published last;
        lock (_lock)
        {
            last = _publisher.CloseNeedsLock();
        }

        _ = _stopping.CancelAsync();
        _timer.Dispose();
        last.Fire();
    }

    /// <summary>The first step. Called once, at the end of the subclass's constructor.</summary>
    protected void Start() => OnTimer();

    /// <summary>True when this node may learn who leads before its server listens.</summary>
    protected abstract bool HearsBeforeItListens { get; }

    /// <summary>Takes from the core what is to be sent now, under the lock; the result sends it, outside. Null: nothing.</summary>
    protected abstract Action? TakeSends(TCore core);

    /// <summary>Called under the lock.</summary>
    protected abstract ClusterView View(TCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall);

    /// <summary>True when there is somebody to hand over to. Called under the lock.</summary>
    protected abstract bool HasOthers(TCore core);

    /// <summary>One step of the core under the lock, and what follows from it outside.</summary>
    protected void Step(Action<TCore, long, long> step)
    {
        Effects effects;
        lock (_lock)
        {
            var (now, wall) = ReadClocks();
            step(_core, now, wall);
            effects = SettleNeedsLock();
        }

        Act(effects);
    }

    /// <summary>
    /// Both clocks at one moment: a thread that a busy machine stops between the two reads would take that for a jump
    /// of the wall clock, and a leader would admit no writes until it has proved itself.
    /// </summary>
    protected (long Now, long Wall) ReadClocks()
    {
        for (var reads = 1; ; reads++)
        {
            var now = Clock.NowMicros();
            var wall = Clock.WallMicros();
            if (reads == MaxClockReads || Clock.NowMicros() - now < MaxClockReadMicros)
            {
                return (now, wall);
            }
        }
    }

    /// <summary>Ends early, without a word, when this object is disposed of.</summary>
    protected async Task PauseAsync(TimeSpan time) =>
        await Task.Delay(time, Clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>
    /// A log or a meter listener of the application may throw. That must cost neither the process, which an exception
    /// in the timer would, nor the loops that drain and ask for the stored epoch.
    /// </summary>
    protected static void Tell(Action report)
    {
        try
        {
            report();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // What would be said about it would be said to the same listeners.
        }
    }

    private void OnTimer() => Step(static (core, now, wall) => core.Tick(now, wall));

    /// <summary>Publishes what the step changed and collects what is to be done outside the lock.</summary>
    private Effects SettleNeedsLock()
    {
        var stopping = _stopping.IsCancellationRequested;
        var sends = stopping ? null : TakeSends(_core);

        // What is sent is made under the lock and lets time pass in the core, so this comes after; no byte leaves before the
        // lock is released.
        var now = Clock.NowMicros();
        var published = _publisher.PublishNeedsLock(_core, now, _shuttingDown);
        _events.AddNeedsLock(_core.TakeEvents());
        if (stopping)
        {
            return new Effects(published, null, Drain: false, RaiseFenceTo: null);
        }

        if (_shuttingDown && _core.Role != NodeRole.Leader && _core.ReleaseIsKnown(now))
        {
            _releaseKnown.TrySetResult();
        }

        var drain = _core.GateClosed && !_drainRuns;
        _drainRuns |= drain;
        var raiseFence = _core.NeedsEpochFloor && _fenceRaisedFor != _core.Epoch;
        if (raiseFence)
        {
            _fenceRaisedFor = _core.Epoch;
        }

        var wait = Math.Max(1, (_core.NextDeadline - now + 999) / 1000);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
        return new Effects(published, sends, drain, raiseFence ? _core.Epoch : null);
    }

    private void Act(Effects effects)
    {
        effects.Published.Fire();
        if (effects.RaiseFenceTo is { } epoch)
        {
            // Before all that may wait: writes wait for it.
            _ = RaiseFenceAsync(_fence!, epoch);
        }

        effects.Send?.Invoke();
        _events.TellSoon();
        if (effects.Drain)
        {
            _ = DrainAsync();
        }
    }

    private async Task DrainAsync()
    {
        for (var drained = false; !drained;)
        {
            await Gate.WhenEmptyAsync();
            Step((core, now, _) =>
            {
                // The gate is closed and published, so an empty count under the lock stays empty.
                drained = !core.GateClosed || Gate.Inside == 0;
                if (drained)
                {
                    core.CompleteDrain(now);
                    _drainRuns = false;
                }
            });
        }
    }

    private async Task RaiseFenceAsync(ApplicationFence fence, long epoch)
    {
        while (!_stopping.IsCancellationRequested)
        {
            var before = await fence.TryRaiseAsync(epoch);
            var again = false;
            Step((core, now, _) =>
            {
                if (before is { } floor)
                {
                    core.ConfirmEpochFloor(floor, epoch, now);
                }

                again = before is null && core.NeedsEpochFloor && core.Epoch == epoch;
                if (!again && _fenceRaisedFor == epoch)
                {
                    _fenceRaisedFor = 0;
                }
            });
            if (!again)
            {
                return;
            }

            await PauseAsync(_fencePause);
        }
    }

    /// <summary>
    /// Somebody waits for a leader before this node may lead. In a background service that is as it should be; what the start of the
    /// server waits for, it waits for in vain. Which one it is nobody can tell but before the start: then it is the start that waits.
    /// </summary>
    private void WatchStart()
    {
        if (!_ready && Interlocked.Exchange(ref _lateStartWatched, 1) == 0)
        {
            _ = WatchAsync();
        }

        async Task WatchAsync()
        {
            await PauseAsync(_startPatience);
            if (_ready || _stopping.IsCancellationRequested || Current.KnowsLeader)
            {
                return;
            }

            Tell(Telemetry.AwaitedBeforeReady);
            if (!_starts && !HearsBeforeItListens)
            {
                await _startKeptWaiting.CancelAsync();
            }
        }
    }

    private readonly record struct Effects(Published Published, Action? Send, bool Drain, long? RaiseFenceTo);
}
