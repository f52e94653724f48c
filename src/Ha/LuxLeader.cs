using System.Diagnostics.Metrics;
using Ha.Configuration;
using Ha.Heartbeat;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha;

/// <summary>
/// An elected leader: signed heartbeats, a lease, the lowest alive NodeID wins. With a quorum at most one node holds a
/// valid lease at any real instant. Starts at construction, stops when disposed. Thread-safe.
/// </summary>
/// <remarks>
/// With <c>AddHa()</c> there is no need to touch this type. Without dependency injection: construct it, let the web
/// server answer <c>POST /_ha/heartbeat</c> with <see cref="HandleHeartbeatAsync"/>, call <see cref="ElectedLeader.SetReady"/> once
/// it listens, and read <see cref="ElectedLeader.Current"/>. At the end call <see cref="ElectedLeader.StopAsync"/> while the server still listens,
/// then dispose it.
/// </remarks>
public sealed class LuxLeader : ElectedLeader
{
    private readonly NodeTls? _ownTls;
    private readonly MemberAddresses? _ownAddresses;
    private readonly HttpMessageHandler _handler;
    private readonly PeerClient _client;
    private readonly HeartbeatEndpoint _endpoint;

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

    internal LuxLeader(
        HaSettings settings,
        HttpMessageHandler? handler,
        TimeProvider clock,
        ElectionTelemetry telemetry,
        NodeTls? tls = null,
        Surroundings? surroundings = null,
        MemberAddresses? addresses = null)
        : base(telemetry)
    {
        surroundings ??= Surroundings.OfProcess;
        var config = ElectionSetup.Create(settings, surroundings);
        var keys = new KeySource(settings.Keys.AtStart);
        _ownTls = handler is null && tls is null ? new NodeTls(settings.Tls, clock, telemetry.TlsInUse, telemetry.TlsRefused) : null;
        _ownAddresses = handler is null && addresses is null ? new MemberAddresses() : null;
        addresses ??= _ownAddresses;
        _handler = handler ?? PeerHandler.Create(LeaseTime.FromMicros(config.BeatTimeoutMicros), tls ?? _ownTls!, addresses!);
        _client = new PeerClient(_handler, keys, addresses);
        Election = new ElectionRunner(config, _client.SendAsync, settings.RaiseFence, clock, telemetry, surroundings);
        _endpoint = new HeartbeatEndpoint(keys, Election.Receive, clock, telemetry.HeartbeatRejected);
        settings.Keys.Watch(clock, Renew, telemetry.KeysRefused, Election.Stopping);

        void Renew(KeyRing ring)
        {
            keys.Current = ring;
            telemetry.KeysReplaced(ring.Signer?.ToString(), ring.Count);
        }
    }

    internal ElectionRunner Election { get; }

    private protected override ILeadershipRunner Runner => Election;

    private protected override RequestDelegate? Heartbeat => HandleHeartbeatAsync;

    /// <summary>Answers one <c>POST /_ha/heartbeat</c>.</summary>
    public Task HandleHeartbeatAsync(HttpContext context) => _endpoint.HandleAsync(context);

    private protected override void End()
    {
        _client.Dispose();
        _handler.Dispose();
        _ownTls?.Dispose();
        _ownAddresses?.Dispose();
    }
}
