using System.Diagnostics.Metrics;
using Ha.Configuration;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha;

/// <summary>
/// A leader by a lease in a store: at most one holds a valid lease at any real instant wherever the store is linearizable,
/// whatever its clock says. Starts at construction, stops when disposed. Thread-safe.
/// </summary>
/// <remarks>
/// With <c>AddHa()</c> and <see cref="HaOptions.LeaseStore"/> there is no need to touch this type. Without dependency injection:
/// construct it, call <see cref="ElectedLeader.SetReady"/> once the web server listens, and read <see cref="ElectedLeader.Current"/>. At the end call
/// <see cref="ElectedLeader.StopAsync"/> while the server still listens, then dispose it. A lease that is not held ends for others no sooner
/// than <see cref="HaOptions.LeaseTimeout"/> after they have seen its last renewal, measured by their own clock.
/// </remarks>
public sealed class LeaseLeader : ElectedLeader
{
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

    internal LeaseLeader(
        HaSettings settings, ILeaseStore store, TimeProvider clock, ElectionTelemetry telemetry, Surroundings? surroundings = null)
        : base(telemetry)
    {
        ArgumentNullException.ThrowIfNull(store);
        Store = store.Description;
        surroundings ??= Surroundings.OfProcess;
        _runner = new LeaseRunner(ElectionSetup.CreateLease(settings, Store, surroundings), store, settings.RaiseFence, clock, telemetry, surroundings);
    }

    /// <summary>What and where the store is, for people.</summary>
    internal string Store { get; }

    private protected override ILeadershipRunner Runner => _runner;

    private protected override RequestDelegate? Heartbeat => null;
}
