using Ha.Leadership;
using Microsoft.Extensions.Primitives;

namespace Ha.Hosting;

/// <summary>
/// One unbroken time as leader in which new writes are admitted, seen from the job that runs in it. Its token fires
/// when leadership ends, when a handoff closes the gate and when the host stops: a job runs for ever by nature, so it
/// must hear of the drain at its start in order to be gone by its end.
/// </summary>
internal sealed class JobPermit : IDisposable
{
    private readonly ILeaderProvider _leader;
    private readonly IDisposable _changes;
    private readonly CancellationTokenRegistration _lost;
    private readonly CancellationTokenRegistration _stopped;

    // Has neither a timer nor a wait handle, so it needs no disposal; a late Cancel must not meet a disposed one.
    private readonly CancellationTokenSource _ended = new();

    public JobPermit(ILeaderProvider leader, CancellationToken stopping)
    {
        _leader = leader;

        // Registered before the snapshot is read: a change in between is seen by the check below.
        _changes = ChangeToken.OnChange(leader.GetChangeToken, OnChanged);
        Leadership = leader.Current;
        _lost = Leadership.LeaseLost.UnsafeRegister(static self => ((JobPermit)self!).End(), this);
        _stopped = stopping.UnsafeRegister(static self => ((JobPermit)self!).End(), this);
        OnChanged();
    }

    public LeadershipSnapshot Leadership { get; }

    /// <summary>Fired from the start when this node does not lead.</summary>
    public CancellationToken Token => _ended.Token;

    /// <summary>True when a job may start now. With a gate: enter it first.</summary>
    public bool Holds => !_ended.IsCancellationRequested && _leader.Current.AdmitsNow();

    public void Dispose()
    {
        _changes.Dispose();
        _lost.Dispose();
        _stopped.Dispose();
    }

    private void OnChanged()
    {
        // Null while the constructor runs; it looks again at its end.
        if (Leadership is { } mine && _leader.Current is var now &&
            (!now.AdmitsNow() || now.Epoch != mine.Epoch || now.Generation != mine.Generation))
        {
            End();
        }
    }

    // Not inline: a job's own callbacks must not run on the thread that keeps the lease.
    private void End() => _ = _ended.CancelAsync();
}
