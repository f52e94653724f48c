using Ha.Configuration;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha;

/// <summary>
/// What <see cref="LuxLeader"/> and <see cref="LeaseLeader"/> have in common: a node that takes part in an election, from its
/// construction until it is disposed of. Thread-safe.
/// </summary>
public abstract class ElectedLeader : ILeaderProvider, ILeadershipControl, IDisposable, IAsyncDisposable
{
    private int _disposed;

    private protected ElectedLeader(ElectionTelemetry telemetry) => Telemetry = telemetry;

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current => Runner.Current;

    /// <inheritdoc />
    public Task Ready => Runner.Ready;

    /// <inheritdoc />
    public ILeadershipControl Control => this;

    WriteGate ILeadershipControl.Gate => Runner.Gate;

    RequestDelegate? ILeadershipControl.Heartbeat => Heartbeat;

    private protected ElectionTelemetry Telemetry { get; }

    private protected abstract ILeadershipRunner Runner { get; }

    private protected abstract RequestDelegate? Heartbeat { get; }

    /// <inheritdoc />
    public IChangeToken GetChangeToken() => Runner.GetChangeToken();

    /// <inheritdoc />
    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) =>
        Runner.WaitForLeaderAsync(cancellationToken);

    /// <summary>Says that this node listens and serves requests; before, it does not lead, and members hear nothing of it.</summary>
    public void SetReady() => Runner.SetReady();

    /// <summary>
    /// Hands leadership over to the lowest NodeID that could lead, or to <paramref name="toNodeId"/>, once the running
    /// writes are done. Returns at once; <see cref="GetChangeToken"/> tells of the end.
    /// </summary>
    /// <returns>False, and nothing happens: this node does not lead, no such node could lead now, or a handoff is under way.</returns>
    public bool TryStepDown(string? toNodeId = null) => Runner.StepDown(toNodeId).Result == HandoffResult.Accepted;

    /// <summary>
    /// Gives leadership away for good and never leads again; call it before the server stops to listen. Returns when
    /// leadership is gone and the others were told, after <see cref="HaOptions.DrainTimeout"/> and the lease at the latest.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired; the handoff goes on.</exception>
    public Task StopAsync(CancellationToken cancellationToken = default) => Runner.HandOffForShutdownAsync(cancellationToken);

    /// <summary>Stops electing after a handoff, as <see cref="StopAsync"/> does it; one that is done already is not repeated.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Runner.Stopping.IsCancellationRequested)
        {
            await StopAsync(CancellationToken.None);
            Dispose();
        }

        await Runner.Ended;
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Stops electing at once, without a handoff. <see cref="IsLeader"/> is false from then on; for the others a lease this
    /// node holds runs out by itself.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Runner.Dispose();
            End();
            Telemetry.Metrics.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    ClusterView ILeadershipControl.View() => Runner.View();

    HandoffStart ILeadershipControl.StepDown(string? toNodeId) => Runner.StepDown(toNodeId);

    HandoffStart ILeadershipControl.Pause(string? toNodeId) => Runner.Pause(toNodeId);

    bool ILeadershipControl.Resume()
    {
        Runner.Resume();
        return true;
    }

    bool ILeadershipControl.ReportHealth(string? trouble)
    {
        Runner.SetTrouble(trouble);
        return true;
    }

    Task<bool> ILeadershipControl.HandOffAsync(CancellationToken cancellationToken) => Runner.HandOffForShutdownAsync(cancellationToken);

    void ILeadershipControl.CheckFence(long epoch) => Runner.CheckFence(epoch);

    /// <summary>The host's start is under way: whoever waits for a leader need not be what keeps it from beginning.</summary>
    internal void SetStarting() => Runner.SetStarting();

    /// <summary>Lets members hear of this node before <see cref="SetReady"/>: it listens, and gets ready.</summary>
    internal void SetListening() => Runner.SetListening();

    /// <summary>Once, after the runner was ended: what else there is to dispose of.</summary>
    private protected virtual void End()
    {
    }

    private protected static HaSettings Parse(HaOptions options)
    {
        var settings = HaSettings.Parse(options);
        ArgumentException.ThrowIfNullOrEmpty(settings.LocalTarget, nameof(options));
        return settings;
    }
}
