using System.Globalization;
using Ha.Leases;
using Ha.Telemetry;

namespace Ha.Leadership;

/// <summary>
/// Owns one election through a store: makes the calls that the core asks for, one at a time, and tells it when the store says
/// that something may have changed. Starts at construction, ends when disposed. Thread-safe.
/// </summary>
internal sealed class LeaseRunner : LeadershipRunner<LeaseCore>
{
    private readonly LeaseConfig _config;
    private readonly ILeaseStore _store;
    private readonly TimeSpan _callTimeout;
    private readonly TimeSpan _leastPause;
    private Task _call = Task.CompletedTask;

    /// <param name="config">Of one instance of the state machine.</param>
    /// <param name="store">Asked; disposed of at the end.</param>
    /// <param name="raiseFence"><see cref="HaOptions.RaiseFence"/>.</param>
    /// <param name="clock">Of leases, limits and pauses.</param>
    /// <param name="telemetry">Told of everything, outside the lock.</param>
    /// <param name="surroundings">Default: the process.</param>
    public LeaseRunner(
        LeaseConfig config,
        ILeaseStore store,
        Func<long, CancellationToken, ValueTask<long>>? raiseFence,
        TimeProvider clock,
        ElectionTelemetry telemetry,
        Surroundings? surroundings = null)
        : base(
            new LeaseCore(config, clock.NowMicros(), clock.WallMicros()),
            new LeadershipPublisher(config.NodeId, config.Target, config.PublicTarget, LeaseTime.FromMicros(config.LeaseMicros), clock),
            raiseFence is null ? null : (raiseFence, LeaseTime.FromMicros(config.FencePatienceMicros)),
            fencePause: LeaseTime.FromMicros(config.LeaseMicros / 3),
            releasePatience: LeaseTime.FromMicros(config.LeaseMicros),
            clock,
            telemetry,
            surroundings ?? Surroundings.OfProcess)
    {
        _config = config;
        _store = store;
        _callTimeout = LeaseTime.FromMicros(config.CallTimeoutMicros);
        _leastPause = LeaseTime.FromMicros(config.LeaseMicros / 100);
        Start();
        Ended = EndAsync(WatchAsync());
    }

    public override Task Ended { get; }

    protected override bool HearsBeforeItListens => true;

    protected override Action? TakeSends(LeaseCore core)
    {
        var (now, wall) = ReadClocks();
        return core.TakeCall(now, wall) is { } call ? () => _call = CallAsync(call) : null;
    }

    protected override ClusterView View(LeaseCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall) =>
        ClusterViews.OfStore(_config, core, leader, now, wall);

    protected override bool HasOthers(LeaseCore core) => core.HasOthers;

    private async Task CallAsync(StoreCall call)
    {
        try
        {
            var answer = await BoundedAsync(token => call.Write is { } record
                ? _store.TryWriteAsync(record, call.Expected, call.Self, token)
                : _store.ReadAsync(call.Self, token));
            Step((core, now, wall) => core.Answered(call.Id, answer, now, wall));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var late = e is TimeoutException or OperationCanceledException;
            if (!Stopping.IsCancellationRequested)
            {
                Tell(() => Telemetry.StoreFailed(late ? null : e));
            }

            var why = late ? string.Create(CultureInfo.InvariantCulture, $"no answer in {_callTimeout.TotalMilliseconds:0} ms") : "the call failed";
            Step((core, now, wall) => core.Failed(call.Id, why, now, wall));
        }
    }

    /// <summary>A store that blocks its caller or does not listen to its token must not hold up the renewals.</summary>
    private async Task<T> BoundedAsync<T>(Func<CancellationToken, Task<T>> ask)
    {
        using var timeout = new CancellationTokenSource(_callTimeout, Clock);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, Stopping);
        var asked = Surroundings.RunAsync(() => ask(limit.Token));

        // One that is given up may still fail, and nobody looks at it then.
        _ = asked.ContinueWith(
            static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return await asked.WaitAsync(limit.Token);
    }

    private async Task WatchAsync()
    {
        while (!Stopping.IsCancellationRequested)
        {
            try
            {
                var began = Clock.GetTimestamp();
                await Surroundings.RunAsync(() => _store.WaitForChangeAsync(Stopping)).WaitAsync(Stopping);
                Step(static (core, now, _) => core.Woken(now));
                if (Clock.GetElapsedTime(began) < _leastPause)
                {
                    // One that says so all the time must not keep a processor busy.
                    await PauseAsync(_leastPause);
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // The core asks by itself, and says so when the store is away.
                await PauseAsync(_callTimeout);
            }
        }
    }

    private async Task EndAsync(Task watch)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, Clock, Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            await watch;
            await _call;
            using var limit = new CancellationTokenSource(_callTimeout, Clock);
            await _store.LeaveAsync(_config.Member, limit.Token).WaitAsync(limit.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The others see that this member is silent.
        }
        finally
        {
            await _store.DisposeAsync();
        }
    }
}
