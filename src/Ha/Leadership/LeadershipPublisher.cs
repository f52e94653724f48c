using Ha.Election;
using Microsoft.Extensions.Primitives;

namespace Ha.Leadership;

/// <summary>
/// Sources to cancel once the lock is released, the lease's before the change's. Not inline: what applications
/// register on these tokens may block or throw, and this thread keeps the lease.
/// </summary>
internal readonly record struct Published(LeaderLease? Ended, CancellationTokenSource? Changed)
{
    public void Fire()
    {
        Ended?.Notify();
        _ = Changed?.CancelAsync();
    }
}

/// <summary>
/// Turns the core's state into the immutable snapshot that requests read. Methods suffixed NeedsLock belong to the
/// core's owner; the rest is thread-safe.
/// </summary>
internal sealed class LeadershipPublisher(string nodeId, string target, string publicTarget, TimeSpan lease, TimeProvider clock)
{
    private readonly TimeSpan _commitGuard = WritePermit.CommitGuard(lease);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LeadershipSnapshot _current = null!;
    private CancellationTokenSource _changed = new();
    private LeaderLease? _lease;
    private (NodeRole Role, long Epoch, long Generation) _term;
    private bool _closed;

    public LeadershipSnapshot Current => Volatile.Read(ref _current);

    public Task Ready => _ready.Task;

    public IChangeToken ChangeToken => new CancellationChangeToken(Volatile.Read(ref _changed).Token);

    public Published PublishNeedsLock(ILeadershipCore core, long now, bool draining)
    {
        if (_closed)
        {
            return default;
        }

        var ended = EndTermNeedsLock((core.Role, core.Epoch, core.Generation));
        _lease?.RenewUntil(clock.TimestampAt(core.ValidUntil));
        return new Published(ended, ReplaceNeedsLock(Build(core, now, draining)));
    }

    /// <summary>Ends what leadership there is; from here on this node neither leads nor knows who does.</summary>
    public Published CloseNeedsLock()
    {
        _closed = true;
        var ended = EndTermNeedsLock(default);
        var last = new LeadershipSnapshot(clock, leaseUntilTimestamp: 0) { NodeId = nodeId, Generation = Current.Generation + 1, Draining = true };
        return new Published(ended, ReplaceNeedsLock(last));
    }

    private CancellationTokenSource? ReplaceNeedsLock(LeadershipSnapshot next)
    {
        var previous = _current;
        Volatile.Write(ref _current, next);
        if (next.LeaderId is not null || !next.Quarantined)
        {
            _ready.TrySetResult();
        }

        return previous is null || Differs(previous, next) ? Interlocked.Exchange(ref _changed, new CancellationTokenSource()) : null;
    }

    private LeaderLease? EndTermNeedsLock((NodeRole Role, long Epoch, long Generation) term)
    {
        if (term == _term)
        {
            return null;
        }

        var ended = _lease;
        _term = term;
        _lease = term.Role == NodeRole.Leader ? new LeaderLease(clock) : null;
        ended?.MarkEnded();
        return ended;
    }

    private LeadershipSnapshot Build(ILeadershipCore core, long now, bool draining)
    {
        var leads = core.IsLeaderAt(now);
        var seen = leads ? null : core.LeaderSeenAt(now);
        var until = leads ? core.ValidUntil : seen?.Until ?? 0;
        return new LeadershipSnapshot(clock, clock.TimestampAt(until))
        {
            NodeId = nodeId,
            LeadsSelf = leads,
            AdmitsWrites = leads && !core.GateClosed,
            CommitGuard = _commitGuard,
            AwaitsFence = core.NeedsEpochFloor,
            LeaderId = leads ? nodeId : seen?.Id,
            LeaderUrl = leads ? publicTarget : seen?.PublicTarget,
            LeaderTarget = leads ? target : seen?.Target,
            Epoch = leads ? core.Epoch : seen?.Epoch ?? 0,
            Generation = core.Generation,
            Lease = leads ? _lease! : LeaderLease.Endless,
            WhyNobodyLeads = leads || seen is not null ? null : core.WhyNobodyLeads,
            Quarantined = core.IsQuarantined(now),
            Starting = !core.IsReady,
            Draining = draining || core.GateClosed,
        };
    }

    /// <summary>A lease that ran out and came back in one step is a change too: somebody may have seen that it ran out.</summary>
    private static bool Differs(LeadershipSnapshot a, LeadershipSnapshot b) =>
        a.KnowsLeader != b.KnowsLeader || a.LeadsSelf != b.LeadsSelf || a.AdmitsWrites != b.AdmitsWrites || a.LeaderId != b.LeaderId
        || a.LeaderUrl != b.LeaderUrl || a.Epoch != b.Epoch || a.Generation != b.Generation
        || a.Quarantined != b.Quarantined || a.Starting != b.Starting || a.Draining != b.Draining || a.AwaitsFence != b.AwaitsFence;
}
