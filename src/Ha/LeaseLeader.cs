using System.Diagnostics.Metrics;
using Ha.Configuration;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;

namespace Ha;

/// <summary>
/// A leader by a lease in a store: at most one holds a valid lease at any real instant wherever the store is linearizable,
/// whatever its clock says. Starts at construction, stops when disposed. Thread-safe.
/// </summary>
/// <remarks>
/// With <c>AddHa()</c> and <see cref="HaOptions.LeaseStore"/> there is no need to touch this type. Without dependency injection:
/// construct it, call <see cref="SetReady"/> once the web server listens, and read <see cref="Current"/>. At the end call
/// <see cref="StopAsync"/> while the server still listens, then dispose it. A lease that is not held ends for others no sooner
/// than <see cref="HaOptions.LeaseTimeout"/> after they have seen its last renewal, measured by their own clock.
/// </remarks>
public sealed class LeaseLeader : ILeaderProvider, ILeadershipControl, IDisposable, IAsyncDisposable
{
    private readonly ElectionTelemetry _telemetry;
    private readonly LeaseRunner _runner;

    /// <param name="options">Read once; <see cref="HaOptions.LocalTarget"/> is required.</param>
    /// <param name="store">Arbitrates; disposed of with this object.</param>
    /// <param name="clock">
    /// Measures the lease and every limit and pause; its timers must run. Default: one that counts suspended time where the
    /// system has it.
    /// </param>
    /// <param name="loggers">Default: none.</param>
    /// <param name="meters">Default: a meter of its own.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">The options are not valid; the message names every problem.</exception>
    public LeaseLeader(
        HaOptions options,
        ILeaseStore store,
        TimeProvider? clock = null,
        ILoggerFactory? loggers = null,
        IMeterFactory? meters = null)
        : this(Parse(options), store, clock ?? BootClock.Instance,
            new ElectionTelemetry(loggers ?? NullLoggerFactory.Instance, new HaMetrics(meters), clock ?? BootClock.Instance))
    {
    }

    internal LeaseLeader(HaSettings settings, ILeaseStore store, TimeProvider clock, ElectionTelemetry telemetry)
    {
        ArgumentNullException.ThrowIfNull(store);
        _telemetry = telemetry;
        Store = store.Description;
        _runner = new LeaseRunner(ElectionSetup.CreateLease(settings, Store), store, settings.RaiseFence, clock, telemetry);
    }

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current => _runner.Current;

    /// <inheritdoc />
    public Task Ready => _runner.Ready;

    /// <inheritdoc />
    public ILeadershipControl Control => this;

    /// <summary>What and where the store is, for people.</summary>
    internal string Store { get; }

    WriteGate ILeadershipControl.Gate => _runner.Gate;

    RequestDelegate? ILeadershipControl.Heartbeat => null;

    /// <inheritdoc />
    public IChangeToken GetChangeToken() => _runner.GetChangeToken();

    /// <inheritdoc />
    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) =>
        _runner.WaitForLeaderAsync(cancellationToken);

    /// <summary>Says that this node serves requests; before, it does not lead.</summary>
    public void SetReady() => _runner.SetReady();

    /// <summary>
    /// Hands leadership over to the lowest NodeID that the store knows to be there, or to <paramref name="toNodeId"/>, once the
    /// running writes are done. Returns at once; <see cref="GetChangeToken"/> tells of the end.
    /// </summary>
    /// <returns>False, and nothing happens: this node does not lead, no such node could lead now, or a handoff is under way.</returns>
    public bool TryStepDown(string? toNodeId = null) => _runner.StepDown(toNodeId).Result == HandoffResult.Accepted;

    /// <summary>
    /// Gives leadership away for good and never leads again; call it before the server stops to listen. Returns when
    /// leadership is gone and the store was told, after <see cref="HaOptions.DrainTimeout"/> and the lease at the latest.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired; the handoff goes on.</exception>
    public Task StopAsync(CancellationToken cancellationToken = default) => _runner.HandOffForShutdownAsync(cancellationToken);

    /// <summary>Stops electing after a handoff, as <see cref="StopAsync"/> does it; one that is done already is not repeated.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_runner.Stopping.IsCancellationRequested)
        {
            await StopAsync(CancellationToken.None);
            Dispose();
        }

        await _runner.Ended;
    }

    /// <summary>
    /// Stops electing at once, without a handoff. <see cref="IsLeader"/> is false from then on; for the others a lease this
    /// node holds runs out by itself.
    /// </summary>
    public void Dispose()
    {
        _runner.Dispose();
        _telemetry.Metrics.Dispose();
    }

    ClusterView ILeadershipControl.View() => _runner.View();

    HandoffStart ILeadershipControl.StepDown(string? toNodeId) => _runner.StepDown(toNodeId);

    Task<bool> ILeadershipControl.HandOffAsync(CancellationToken cancellationToken) => _runner.HandOffForShutdownAsync(cancellationToken);

    void ILeadershipControl.CheckFence(long epoch) => _runner.CheckFence(epoch);

    private static HaSettings Parse(HaOptions options)
    {
        var settings = HaSettings.Parse(options);
        ArgumentException.ThrowIfNullOrEmpty(settings.LocalTarget, nameof(options));
        return settings;
    }
}
