using System.Diagnostics.Metrics;
using Ha.Configuration;
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
public sealed class LuxLeader : ILeaderProvider, ILeadershipControl, IDisposable, IAsyncDisposable
{
    private readonly ElectionTelemetry _telemetry;
    private readonly NodeTls? _ownTls;
    private readonly HttpMessageHandler _handler;
    private readonly PeerClient _client;
    private readonly HeartbeatEndpoint _endpoint;
    private int _disposed;

    /// <param name="options">Read once; <see cref="HaOptions.LocalTarget"/> is required.</param>
    /// <param name="handler">Sends the heartbeats; disposed with this object. Default: a <c>SocketsHttpHandler</c>.</param>
    /// <param name="clock">
    /// Measures the lease and every limit and pause; its timers must run. Default: one that counts suspended time where the
    /// system has it.
    /// </param>
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
            new ElectionTelemetry(loggers ?? NullLoggerFactory.Instance, new HaMetrics(meters), clock ?? BootClock.Instance))
    {
    }

    internal LuxLeader(HaSettings settings, HttpMessageHandler? handler, TimeProvider clock, ElectionTelemetry telemetry, NodeTls? tls = null)
    {
        _telemetry = telemetry;
        var config = ElectionSetup.Create(settings);
        var keys = new KeySource(settings.Keys.AtStart);
        _ownTls = handler is null && tls is null ? new NodeTls(settings.Tls, clock, telemetry.TlsInUse, telemetry.TlsRefused) : null;
        _handler = handler ?? PeerHandler.Create(LeaseTime.FromMicros(config.BeatTimeoutMicros), tls ?? _ownTls!);
        _client = new PeerClient(_handler, keys);
        Election = new ElectionRunner(config, _client.SendAsync, settings.RaiseFence, clock, telemetry);
        _endpoint = new HeartbeatEndpoint(keys, Election.Receive, clock, telemetry.HeartbeatRejected);
        settings.Keys.Watch(clock, Renew, telemetry.KeysRefused, Election.Stopping);

        void Renew(KeyRing ring)
        {
            keys.Current = ring;
            telemetry.KeysReplaced(ring.Signer?.ToString(), ring.Count);
        }
    }

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current => Election.Current;

    /// <inheritdoc />
    public Task Ready => Election.Ready;

    /// <inheritdoc />
    public ILeadershipControl Control => this;

    internal ElectionRunner Election { get; }

    /// <inheritdoc />
    public IChangeToken GetChangeToken() => Election.GetChangeToken();

    /// <inheritdoc />
    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) =>
        Election.WaitForLeaderAsync(cancellationToken);

    /// <summary>Answers one <c>POST /_ha/heartbeat</c>.</summary>
    public Task HandleHeartbeatAsync(HttpContext context) => _endpoint.HandleAsync(context);

    /// <summary>Says that this node serves requests; before, it votes but does not lead.</summary>
    public void SetReady() => Election.SetReady();

    /// <summary>
    /// Hands leadership over to the lowest NodeID that could lead, or to <paramref name="toNodeId"/>, once the running
    /// writes are done. Returns at once; <see cref="GetChangeToken"/> tells of the end.
    /// </summary>
    /// <returns>False, and nothing happens: this node does not lead, no such node could lead now, or a handoff is under way.</returns>
    public bool TryStepDown(string? toNodeId = null) => Election.StepDown(toNodeId).Result == HandoffResult.Accepted;

    /// <summary>
    /// Gives leadership away for good and never leads again; call it before the server stops to listen. Returns when
    /// leadership is gone and the others were told, after <see cref="HaOptions.DrainTimeout"/> and the lease at the latest.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired; the handoff goes on.</exception>
    public Task StopAsync(CancellationToken cancellationToken = default) => Election.HandOffForShutdownAsync(cancellationToken);

    /// <summary>Stops electing after a handoff, as <see cref="StopAsync"/> does it; one that is done already is not repeated.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Election.Stopping.IsCancellationRequested)
        {
            await StopAsync(CancellationToken.None);
            Dispose();
        }

        await Election.Sends;
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

        Election.Dispose();
        _client.Dispose();
        _handler.Dispose();
        _ownTls?.Dispose();
        _telemetry.Metrics.Dispose();
    }

    WriteGate ILeadershipControl.Gate => Election.Gate;

    RequestDelegate? ILeadershipControl.Heartbeat => HandleHeartbeatAsync;

    ClusterView ILeadershipControl.View() => Election.View();

    HandoffStart ILeadershipControl.StepDown(string? toNodeId) => Election.StepDown(toNodeId);

    Task<bool> ILeadershipControl.HandOffAsync(CancellationToken cancellationToken) => Election.HandOffForShutdownAsync(cancellationToken);

    void ILeadershipControl.CheckFence(long epoch) => Election.CheckFence(epoch);

    private static HaSettings Parse(HaOptions options)
    {
        var settings = HaSettings.Parse(options);
        ArgumentException.ThrowIfNullOrEmpty(settings.LocalTarget, nameof(options));
        return settings;
    }
}
