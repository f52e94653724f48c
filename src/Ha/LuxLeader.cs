using System.Diagnostics.Metrics;
using Ha.Configuration;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;

namespace Ha;

/// <summary>
/// An elected leader: signed heartbeats, a lease, the lowest alive NodeID wins. With a quorum at most one node holds a
/// valid lease at any real instant. Starts at construction, stops when disposed. Thread-safe.
/// </summary>
/// <remarks>
/// With <c>AddHa()</c> there is no need to touch this type. Without dependency injection: construct it, let the web
/// server answer <c>POST /_ha/heartbeat</c> with <see cref="HandleHeartbeatAsync"/>, call <see cref="SetReady"/> once
/// it listens, and read <see cref="Current"/>. At the end call <see cref="StopAsync"/> while the server still listens,
/// then dispose it.
/// </remarks>
public sealed partial class LuxLeader : ILeaderProvider, IDisposable, IAsyncDisposable
{
    private const int MaxClockReads = 4;
    private const long MaxClockReadMicros = 10_000;
    private static readonly TimeSpan _readyPatience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly HaSettings _settings;
    private readonly TimeProvider _clock;
    private readonly ElectionConfig _config;
    private readonly ElectionCore _core;
    private readonly LeadershipPublisher _publisher;
    private readonly ElectionTelemetry _telemetry;
    private readonly EventOrder _events;
    private readonly HeartbeatEndpoint _endpoint;
    private readonly NodeTls? _ownTls;
    private readonly HttpMessageHandler _handler;
    private readonly PeerClient _client;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _releaseKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool[] _sending;
    private readonly Task[] _sends;
    private bool _shuttingDown;
    private bool _drainRuns;
    private long _fenceRaisedFor;
    private long _nextFenceCheck = long.MinValue;
    private volatile bool _isReady;
    private int _lateReadyWatched;
    private int _disposed;

    /// <param name="options">Read once; <see cref="HaOptions.LocalTarget"/> is required.</param>
    /// <param name="handler">Sends the heartbeats; disposed with this object. Default: a <c>SocketsHttpHandler</c>.</param>
    /// <param name="clock">The lease clock. Default: one that counts suspended time where the system has it.</param>
    /// <param name="loggers">Default: none.</param>
    /// <param name="meters">Default: a meter of its own.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">The options are not valid; the message names every problem.</exception>
    public LuxLeader(
        HaOptions options,
        HttpMessageHandler? handler = null,
        TimeProvider? clock = null,
        ILoggerFactory? loggers = null,
        IMeterFactory? meters = null)
        : this(Parse(options), handler, clock ?? BootClock.Instance,
            new ElectionTelemetry(loggers ?? NullLoggerFactory.Instance, new HaMetrics(meters), clock ?? TimeProvider.System))
    {
    }

    internal LuxLeader(HaSettings settings, HttpMessageHandler? handler, TimeProvider clock, ElectionTelemetry telemetry, NodeTls? tls = null)
    {
        _settings = settings;
        _clock = clock;
        _telemetry = telemetry;
        _events = new EventOrder(e => Tell(() => telemetry.Publish(e)));
        _config = ElectionSetup.Create(settings);
        var keys = new KeySource(settings.Keys.AtStart);
        _endpoint = new HeartbeatEndpoint(keys, Receive, clock, telemetry.HeartbeatRejected);
        _ownTls = handler is null && tls is null ? new NodeTls(settings.Tls, TimeProvider.System, telemetry.TlsInUse, telemetry.TlsRefused) : null;
        _handler = handler ?? PeerHandler.Create(BeatTimeout, tls ?? _ownTls!);
        _client = new PeerClient(_handler, keys);
        _publisher = new LeadershipPublisher(_config, clock, _config.PublicTarget);
        _sending = new bool[_config.Peers.Count];
        _sends = new Task[_config.Peers.Count];
        Array.Fill(_sends, Task.CompletedTask);
        _core = new ElectionCore(_config, clock.NowMicros(), clock.WallMicros());
        _timer = clock.CreateTimer(static self => ((LuxLeader)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        OnTimer();
        settings.Keys.Watch(clock, Renew, telemetry.KeysRefused, _stopping.Token);

        void Renew(KeyRing ring)
        {
            keys.Current = ring;
            telemetry.KeysReplaced(ring);
        }
    }

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current => _publisher.Current;

    /// <inheritdoc />
    public Task Ready => _publisher.Ready;

    internal WriteGate Gate { get; } = new();

    internal ElectionTelemetry Telemetry => _telemetry;

    /// <summary>
    /// An answer that is merely slow still counts, and after one that hangs the next try, which is due by then, has
    /// almost half an interval left before a lease of three intervals ends.
    /// </summary>
    private TimeSpan BeatTimeout => LeaseTime.FromMicros(_config.IntervalMicros * 3 / 2);

    /// <inheritdoc />
    public IChangeToken GetChangeToken() => _publisher.ChangeToken;

    /// <inheritdoc />
    public async Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var change = GetChangeToken();
            if (Current is var current && current.KnowsLeader())
            {
                return current;
            }

            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            WarnIfReadyComesLate();

            await change.FiredAsync(cancellationToken);
        }
    }

    /// <summary>Answers one <c>POST /_ha/heartbeat</c>.</summary>
    public Task HandleHeartbeatAsync(HttpContext context) => _endpoint.HandleAsync(context);

    /// <summary>Says that this node serves requests; before, it votes but does not lead.</summary>
    public void SetReady()
    {
        _isReady = true;
        Step(static (core, now) => core.SetReady(now));
    }

    /// <summary>
    /// Hands leadership over to the lowest NodeID that could lead, or to <paramref name="toNodeId"/>, once the running
    /// writes are done. Returns at once; <see cref="GetChangeToken"/> tells of the end.
    /// </summary>
    /// <returns>False, and nothing happens: this node does not lead, no such node could lead now, or a handoff is under way.</returns>
    public bool TryStepDown(string? toNodeId = null) => StepDown(toNodeId).Outcome == StepDownOutcome.Accepted;

    /// <summary>
    /// Gives leadership away for good and never leads again; call it before the server stops to listen. Returns when
    /// leadership is gone and the others were told, after <see cref="HaOptions.DrainTimeout"/> and the lease at the latest.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired; the handoff goes on.</exception>
    public Task StopAsync(CancellationToken cancellationToken = default) => HandOffForShutdownAsync(cancellationToken);

    /// <summary>Stops electing after a handoff, as <see cref="StopAsync"/> does it; one that is done already is not repeated.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
        {
            await StopAsync(CancellationToken.None);
            Dispose();
        }

        await Task.WhenAll(_sends);
    }

    /// <summary>
    /// Stops electing at once, without a handoff. <see cref="IsLeader"/> is false from then on; for the others a lease this
    /// node holds runs out by itself.
    /// </summary>
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
        _client.Dispose();
        _handler.Dispose();
        _ownTls?.Dispose();
        _telemetry.Metrics.Dispose();
    }

    private static HaSettings Parse(HaOptions options)
    {
        var settings = HaSettings.Parse(options);
        ArgumentException.ThrowIfNullOrEmpty(settings.LocalTarget, nameof(options));
        return settings;
    }

    internal BeatReply Receive(in Beat beat)
    {
        BeatReply reply;
        Effects effects;
        lock (_lock)
        {
            var (now, wall) = ReadClocks();
            reply = _core.Receive(beat, now, wall);
            effects = SettleNeedsLock();
        }

        Act(effects);
        if (reply.Status == BeatStatus.Ok)
        {
            Tell(_telemetry.Metrics.HeartbeatReceived);
        }
        else
        {
            TellRefused(reply.Status, beat.From);
        }

        return reply;
    }

    // A method of its own, so that only a refusal pays for the closure.
    private void TellRefused(BeatStatus status, NodeFacts from) => Tell(() => _telemetry.HeartbeatRefused(status, from));

    internal StepDownResult StepDown(string? toNodeId)
    {
        HandoffStart start = default;
        Step((core, now) => start = core.BeginHandoff(toNodeId, HandoffReason.StepDown, now));
        return new StepDownResult(
            start.Result switch
            {
                HandoffResult.Accepted => StepDownOutcome.Accepted,
                HandoffResult.NotLeader => StepDownOutcome.NotLeader,
                HandoffResult.NotEligible => StepDownOutcome.NotEligible,
                _ => StepDownOutcome.AlreadyRunning,
            },
            start.Successor);
    }

    /// <summary>
    /// Gives leadership away for good because this process is going. Returns when it is gone, released or lapsed, and
    /// the others were told; bounded by drain and lease.
    /// </summary>
    /// <returns>True when there are others, and this node led them.</returns>
    internal async Task<bool> HandOffForShutdownAsync(CancellationToken cancellationToken)
    {
        var led = false;
        Step((core, now) =>
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

        await _releaseKnown.Task.WaitAsync(BeatTimeout, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return led;
    }

    /// <summary>
    /// For a write that was refused with <see cref="NotLeaderException"/> under an unbroken lease: the application's fence
    /// may have been raised by somebody who is not of this cluster. Asks the application, at most once per heartbeat
    /// interval, and goes above what it says. Returns at once.
    /// </summary>
    /// <param name="epoch">What the write ran under.</param>
    internal void CheckFence(long epoch)
    {
        lock (_lock)
        {
            var now = _clock.NowMicros();
            if (_settings.RaiseFence is null || _core.NeedsEpochFloor || _core.Epoch != epoch || now < _nextFenceCheck)
            {
                return;
            }

            _nextFenceCheck = now + _config.IntervalMicros;
        }

        _ = CheckFenceAsync(epoch);
    }

    internal ClusterView View()
    {
        lock (_lock)
        {
            return ClusterViews.Create(_config, _core, _publisher.Current, _clock.NowMicros(), _clock.GetUtcNow());
        }
    }
}
