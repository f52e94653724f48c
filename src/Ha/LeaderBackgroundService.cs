using Ha.Hosting;
using Ha.Leadership;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha;

/// <summary>
/// A hosted service whose work runs on the leader only, one node at a time as far as a lease can promise: fence
/// every effect with <see cref="LeadershipSnapshot.Epoch"/>. Register it with <c>AddHostedService</c>. When the plugin
/// is off it simply runs.
/// </summary>
/// <remarks>
/// The work starts again when this node regains leadership. When it throws, the error is logged and the work starts
/// again after 1 s, then 2 s, and so on up to 30 s, as long as leadership lasts. When it returns, it is done until this
/// node leads anew. While it runs it counts as a running write: a handoff waits for it, up to
/// <see cref="HaOptions.DrainTimeout"/>.
/// </remarks>
public abstract class LeaderBackgroundService : BackgroundService
{
    private static readonly TimeSpan _firstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _longestDelay = TimeSpan.FromSeconds(30);

    private readonly WriteGate? _gate;

    /// <param name="leader">Says when to run.</param>
    /// <param name="logger">Told of starts, ends and failures.</param>
    protected LeaderBackgroundService(ILeaderProvider leader, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(leader);
        ArgumentNullException.ThrowIfNull(logger);
        Leader = leader;
        Logger = logger;
        _gate = leader.Control?.Gate;
    }

    /// <summary>What the constructor was given: a subclass that used its own parameter would keep it twice (warning CS9107).</summary>
    protected ILeaderProvider Leader { get; }

    /// <summary>What the constructor was given; see <see cref="Leader"/>.</summary>
    protected ILogger Logger { get; }

    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The work. Runs on the leader only.</summary>
    /// <param name="leadership">
    /// The leadership it runs under. Its <see cref="LeadershipSnapshot.IsLeader"/> tells at each look whether the lease of
    /// this very leadership is valid, for as long as the work runs; its epoch never changes.
    /// </param>
    /// <param name="cancellationToken">
    /// Fires when leadership ends or is about to be handed over, and when the host stops. Finish at once:
    /// leadership is not released while the work still runs.
    /// </param>
    protected abstract Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken);

    /// <inheritdoc />
    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await LeadingAsync(stoppingToken))
        {
            using var permit = new JobPermit(Leader, stoppingToken);
            var delay = _firstDelay;
            while (!await RunAsync(permit, delay))
            {
                await EndOrAsync(permit, delay);
                delay = delay * 2 < _longestDelay ? delay * 2 : _longestDelay;
            }

            await EndOrAsync(permit, Timeout.InfiniteTimeSpan);
        }
    }

    /// <returns>
    /// False when the host stops. It is no exception: the host takes a cancellation for a failure of this service where its start failed.
    /// </returns>
    private async Task<bool> LeadingAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var change = Leader.GetChangeToken();
            if (Leader.Current.AdmitsNow())
            {
                return true;
            }

            await change.FiredAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    /// <returns>False when it failed and should run again.</returns>
    private async Task<bool> RunAsync(JobPermit permit, TimeSpan delay)
    {
        var job = GetType().Name;
        var epoch = permit.Leadership.Epoch;

        // Entered before the look at the gate: either this sees it closed or the drain sees this.
        _gate?.Enter();
        try
        {
            if (!permit.Holds)
            {
                return true;
            }

            Logger.JobStarted(job, epoch);
            AmbientLeadership.Scope = new AdmittedScope(new WritePermit(Leader, permit.Leadership, permit.Leadership.CommitGuard), outer: null);
            await ExecuteAsLeaderAsync(permit.Leadership, permit.Token);
            Logger.JobEnded(job, epoch);
            return true;
        }
        catch (OperationCanceledException) when (permit.Token.IsCancellationRequested)
        {
            Logger.JobEnded(job, epoch);
            return true;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Logger.JobFailed(error, job, epoch, delay);
            return permit.Token.IsCancellationRequested;
        }
        finally
        {
            _gate?.Exit();
        }
    }

    private Task EndOrAsync(JobPermit permit, TimeSpan delay) =>
        Task.Delay(delay, Clock, permit.Token).ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}
