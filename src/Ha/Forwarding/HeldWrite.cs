using Ha.Leadership;

namespace Ha.Forwarding;

/// <summary>How a wait ended.</summary>
internal enum HoldOutcome
{
    /// <summary>A leader appeared, or it is time to try the same one again.</summary>
    MoveOn,

    /// <summary>Nobody appeared in time.</summary>
    TimedOut,

    /// <summary>As many as may wait are waiting already.</summary>
    Full,

    /// <summary>The request was cancelled: its client went away, or the application set it a time limit.</summary>
    Cancelled,

    /// <summary>This node shuts down.</summary>
    Stopping,
}

/// <summary>One request in the <see cref="WriteHold"/>.</summary>
/// <param name="hold">Where it waits.</param>
/// <param name="until">When it gives up.</param>
/// <param name="wake">When it leaves in any case, to give up or to try again.</param>
/// <param name="arrival">Its place in the order of arrival.</param>
/// <param name="refusedBy">Who refused it last; null: any leader will do.</param>
internal sealed class HeldWrite(WriteHold hold, long until, long wake, long arrival, LeadershipSnapshot? refusedBy)
    : TaskCompletionSource<HoldOutcome>, IThreadPoolWorkItem
{
    private HoldOutcome? _outcome;

    public static readonly IComparer<HeldWrite> Order = Comparer<HeldWrite>.Create(static (a, b) =>
        a.Wake != b.Wake ? a.Wake.CompareTo(b.Wake) : a.Arrival.CompareTo(b.Arrival));

    /// <summary>Who came first may have tried a dead leader since, and stands behind others by its next look.</summary>
    public static readonly IComparer<HeldWrite> Seniority = Comparer<HeldWrite>.Create(static (a, b) =>
        a.Until != b.Until ? a.Until.CompareTo(b.Until) : a.Arrival.CompareTo(b.Arrival));

    public long Wake => wake;

    public bool RetriesAtWake => wake < until;

    private long Until => until;

    private long Arrival => arrival;

    /// <summary>
    /// Safe under the lock: what waited goes on elsewhere, and in the order of these calls. The pool's own way of
    /// running continuations asynchronously takes the newest first, so the longest wait would grow with the crowd.
    /// </summary>
    public bool TryComplete(HoldOutcome outcome)
    {
        if (_outcome is not null)
        {
            return false;
        }

        _outcome = outcome;
        return ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    public void Execute() => SetResult(_outcome!.Value);

    public void Cancel() => hold.Release(this, HoldOutcome.Cancelled);

    public bool MovesOnWith(LeadershipSnapshot now) =>
        refusedBy is null ? now.TakesWrites() : now.IsAnotherLeader(refusedBy);
}
