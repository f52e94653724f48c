using Ha.Election;
using Ha.Telemetry;
using Microsoft.Extensions.Primitives;

namespace Ha.Leadership;

/// <summary>
/// Owns one election: the core, its lock, its clock and its timer. Each step of the core runs under the lock, and what
/// follows from it outside: messages, events, the drain, the application's fence. Messages leave through a delegate and
/// arrive at <see cref="Receive"/>. Starts at construction, ends when disposed. Thread-safe.
/// </summary>
internal sealed class ElectionRunner : IFencedLeader, IDisposable
{
    private const int MaxClockReads = 4;
    private const long MaxClockReadMicros = 10_000;
    private static readonly TimeSpan _readyPatience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly ElectionConfig _config;
    private readonly TimeSpan _beatTimeout;
    private readonly Func<string, Beat, CancellationToken, Task<BeatExchange>> _send;
    private readonly TimeProvider _clock;
    private readonly ElectionTelemetry _telemetry;
    private readonly ApplicationFence? _fence;
    private readonly ElectionCore _core;
    private readonly LeadershipPublisher _publisher;
    private readonly EventOrder _events;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _releaseKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool[] _sending;
    private readonly Task[] _sends;
    private bool _shuttingDown;
    private bool _drainRuns;
    private long _fenceRaisedFor;
    private long _nextFenceCheck = long.MinValue;
    private volatile bool _listens;
    private int _lateStartWatched;
    private int _disposed;

    /// <param name="config">Of one instance of the state machine.</param>
    /// <param name="send">Sends one message to the peer of this URL; the token is its time limit.</param>
    /// <param name="raiseFence"><see cref="HaOptions.RaiseFence"/>.</param>
    /// <param name="clock">Of leases, limits and pauses.</param>
    /// <param name="telemetry">Told of everything, outside the lock.</param>
    public ElectionRunner(
        ElectionConfig config,
        Func<string, Beat, CancellationToken, Task<BeatExchange>> send,
        Func<long, CancellationToken, ValueTask<long>>? raiseFence,
        TimeProvider clock,
        ElectionTelemetry telemetry)
    {
        _config = config;
        _beatTimeout = LeaseTime.FromMicros(config.BeatTimeoutMicros);
        _send = send;
        _clock = clock;
        _telemetry = telemetry;
        var patience = LeaseTime.FromMicros(config.FencePatienceMicros);
        _fence = raiseFence is null
            ? null
            : new ApplicationFence(raiseFence, patience, clock, e => Tell(() => telemetry.FenceFailed(e)), _stopping.Token);
        _events = new EventOrder(e => Tell(() => telemetry.Publish(e)));
        _publisher = new LeadershipPublisher(config, clock, config.PublicTarget);
        _sending = new bool[config.Peers.Count];
        _sends = new Task[config.Peers.Count];
        Array.Fill(_sends, Task.CompletedTask);
        _core = new ElectionCore(config, clock.NowMicros(), clock.WallMicros());
        _timer = clock.CreateTimer(
            static self => ((ElectionRunner)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        OnTimer();
    }

    public LeadershipSnapshot Current => _publisher.Current;

    /// <summary>Completes after the first election round.</summary>
    public Task Ready => _publisher.Ready;

    /// <summary>The writes that run here; a handoff waits for them.</summary>
    public WriteGate Gate { get; } = new();

    /// <summary>Fires when this object is disposed of.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Completes when no message is under way.</summary>
    public Task Sends => Task.WhenAll(_sends);

    public IChangeToken GetChangeToken() => _publisher.ChangeToken;

    /// <summary>As <see cref="ILeaderProvider.WaitForLeaderAsync"/> says.</summary>
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
            WarnIfStartWaits();

            await change.FiredAsync(cancellationToken);
        }
    }

    public ClusterView View()
    {
        lock (_lock)
        {
            return ClusterViews.OfElection(_config, _core, _publisher.Current, _clock.NowMicros(), _clock.GetUtcNow());
        }
    }

    /// <summary>Says that this node serves requests; before, it votes but does not lead.</summary>
    public void SetReady()
    {
        _listens = true;
        Step(static (core, now, _) => core.SetReady(now));
    }

    /// <summary>Answers one verified message.</summary>
    public BeatReply Receive(Beat beat)
    {
        BeatReply reply = null!;
        Step((core, now, wall) => reply = core.Receive(beat, now, wall));
        if (reply.Status == BeatStatus.Ok)
        {
            Tell(_telemetry.Metrics.HeartbeatReceived);
        }
        else
        {
            Tell(() => _telemetry.HeartbeatRefused(reply.Status, beat.From));
        }

        return reply;
    }

    /// <summary>Begins to hand leadership over to the named node, or to the lowest that could lead. Returns at once.</summary>
    public HandoffStart StepDown(string? toNodeId)
    {
        HandoffStart start = default;
        Step((core, now, _) => start = core.BeginHandoff(toNodeId, HandoffReason.StepDown, now));
        return start;
    }

    /// <summary>
    /// Gives leadership away for good because this process is going. Returns when it is gone, released or lapsed, and
    /// the others were told; bounded by drain and lease.
    /// </summary>
    /// <returns>True when there are others, and this node led them.</returns>
    public async Task<bool> HandOffForShutdownAsync(CancellationToken cancellationToken)
    {
        var led = false;
        Step((core, now, _) =>
        {
            led = core.Role == NodeRole.Leader && core.PeerCount > 0;
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

        await _releaseKnown.Task.WaitAsync(_beatTimeout, _clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return led;
    }

    /// <inheritdoc />
    public void CheckFence(long epoch)
    {
        if (_fence is null)
        {
            return;
        }

        lock (_lock)
        {
            var now = _clock.NowMicros();
            if (_core.NeedsEpochFloor || _core.Epoch != epoch || now < _nextFenceCheck)
            {
                return;
            }

            _nextFenceCheck = now + _config.IntervalMicros;
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

    /// <summary>Ends at once, without a handoff: this node leads no more, and for the others its lease runs out by itself.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _stopping.Cancel();
        _timer.Dispose();
        Published last;
        lock (_lock)
        {
            last = _publisher.CloseNeedsLock();
        }

        last.Fire();
    }

    private void OnTimer() => Step(static (core, now, wall) => core.Tick(now, wall));

    /// <summary>One step of the core under the lock, and what follows from it outside.</summary>
    private void Step(Action<ElectionCore, long, long> step)
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
    /// of the wall clock, and a leader would admit no writes until a majority has answered.
    /// </summary>
    private (long Now, long Wall) ReadClocks()
    {
        for (var reads = 1; ; reads++)
        {
            var now = _clock.NowMicros();
            var wall = _clock.WallMicros();
            if (reads == MaxClockReads || _clock.NowMicros() - now < MaxClockReadMicros)
            {
                return (now, wall);
            }
        }
    }

    /// <summary>Publishes what the step changed and collects what is to be done outside the lock.</summary>
    private Effects SettleNeedsLock()
    {
        var stopping = _stopping.IsCancellationRequested;
        List<(int, Beat)>? beats = null;
        for (var peer = 0; peer < _core.PeerCount; peer++)
        {
            if (!stopping && _core.WantsBeat(peer) && !_sending[peer])
            {
                _sending[peer] = true;
                var (sentAt, wall) = ReadClocks();
                (beats ??= []).Add((peer, _core.CreateBeat(peer, sentAt, wall)));
            }
        }

        // Building a message lets time pass in the core, so this comes last; no byte leaves before the lock is released.
        var now = _clock.NowMicros();
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
        return new Effects(published, beats, drain, raiseFence ? _core.Epoch : null);
    }

    private void Act(Effects effects)
    {
        effects.Published.Fire();
        if (effects.Beats is { } beats)
        {
            foreach (var (peer, beat) in beats)
            {
                _sends[peer] = SendAsync(peer, beat);
            }
        }

        _events.Tell();
        if (effects.Drain)
        {
            _ = DrainAsync();
        }

        if (effects.RaiseFenceTo is { } epoch)
        {
            _ = RaiseFenceAsync(_fence!, epoch);
        }
    }

    private async Task SendAsync(int peer, Beat beat)
    {
        var target = _config.Peers[peer];
        var started = _clock.GetTimestamp();
        var exchange = await ExchangeAsync(target, beat);
        Step((core, now, wall) =>
        {
            _sending[peer] = false;
            if (exchange.Reply is { } reply)
            {
                core.ReceiveReply(peer, reply, now, wall);
            }
            else if (exchange.Failure == ExchangeFailure.FixedLeader)
            {
                core.MeetFixedLeader(peer, beat.Seq, exchange.Verified, now, exchange.Detail);
            }
            else
            {
                core.BeatFailed(peer, beat.Seq, now, exchange.Detail);
            }
        });

        if (exchange.Reply is not null)
        {
            Tell(() => _telemetry.Metrics.HeartbeatSent(target, _clock.GetElapsedTime(started)));
        }
        else if (!_stopping.IsCancellationRequested)
        {
            Tell(() => _telemetry.HeartbeatFailed(target, exchange.Reason, exchange.Detail));
        }
    }

    /// <summary>Does not throw: nothing would ever be sent to this peer again.</summary>
    private async Task<BeatExchange> ExchangeAsync(string target, Beat beat)
    {
        try
        {
            using var timeout = new CancellationTokenSource(_beatTimeout, _clock);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stopping.Token);
            return await _send(target, beat, limit.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A handler that the application brought may throw anything.
            return BeatExchange.Failed(ExchangeFailure.Broken, e.Message);
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

            await PauseAsync(LeaseTime.FromMicros(_config.IntervalMicros));
        }
    }

    /// <summary>
    /// Somebody waits for a leader before this node may lead. In a background service that is as it should be; in what
    /// the start of the server waits for, on all nodes, nobody ever leads.
    /// </summary>
    private void WarnIfStartWaits()
    {
        if (!_listens && Interlocked.Exchange(ref _lateStartWatched, 1) == 0)
        {
            _ = WatchAsync();
        }

        async Task WatchAsync()
        {
            await PauseAsync(_readyPatience);
            if (!_listens && !_stopping.IsCancellationRequested && !Current.KnowsLeader)
            {
                Tell(_telemetry.AwaitedBeforeReady);
            }
        }
    }

    /// <summary>Ends early, without a word, when this object is disposed of.</summary>
    private async Task PauseAsync(TimeSpan time) =>
        await Task.Delay(time, _clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>
    /// A log or a meter listener of the application may throw. That must cost neither the process, which an exception
    /// in the timer would, nor the loops that drain and ask for the stored epoch.
    /// </summary>
    private static void Tell(Action report)
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

    private readonly record struct Effects(
        Published Published, List<(int Peer, Beat Beat)>? Beats, bool Drain, long? RaiseFenceTo);
}
