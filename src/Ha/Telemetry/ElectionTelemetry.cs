using Ha.Configuration;
using Ha.Election;
using Microsoft.Extensions.Logging;

namespace Ha.Telemetry;

/// <summary>
/// Turns what the election core reports into logs, counters and a bounded list for the status page.
/// Call it outside any lock. Thread-safe.
/// </summary>
internal sealed class ElectionTelemetry(ILoggerFactory loggers, HaMetrics metrics, TimeProvider clock)
{
    /// <summary>Logger category.</summary>
    public const string Category = "Ha.Election";

    /// <summary>Events kept for the status page.</summary>
    public const int MaxRecent = 40;

    private const string Nobody = "nobody";
    private const string Self = "this node";

    /// <summary>Reports of one cause that repeats with every heartbeat are at least this far apart.</summary>
    public static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(60);

    private readonly ILogger _log = loggers.CreateLogger(Category);
    private readonly LogLimiter _limiter = new(clock, ReportInterval);
    private readonly Lock _lock = new();
    private readonly Queue<RecentEvent> _recent = new(MaxRecent);
    private string _leader = Nobody;

    public HaMetrics Metrics { get; } = metrics;

    /// <summary>The latest events, newest first; campaigns and repeated reports are left out.</summary>
    public IReadOnlyList<RecentEvent> Recent()
    {
        lock (_lock)
        {
            var copy = _recent.ToArray();
            Array.Reverse(copy);
            return copy;
        }
    }

    public void Publish(ElectionEvent e)
    {
        Count(e);
        var suppressed = 0;
        if (Repeats(e.Kind) && !_limiter.Passes($"{e.Kind} {e.Node}", out suppressed))
        {
            return;
        }

        var oldLeader = Remember(e);
        Log(e, oldLeader, LogLimiter.LeftOut(suppressed));
    }

    /// <summary>Counts a refused heartbeat and says so in the log, at most once a minute per reason.</summary>
    /// <param name="reason">One of a few fixed words.</param>
    public void HeartbeatRejected(string reason) => HeartbeatRejected(reason, reason);

    /// <summary>The same for one that came to a node with a fixed leader.</summary>
    public void HeartbeatMetFixedLeader()
    {
        const string reason = "fixed_leader";
        HeartbeatRejected(
            reason, $"{reason}, this node has {HaKeys.StaticLeader}, and whoever sent it takes part in an election; set it on every node or on none");
    }

    private void HeartbeatRejected(string reason, string inFull)
    {
        Metrics.HeartbeatRejected(reason);
        if (_limiter.Passes($"rejected {reason}", out var suppressed))
        {
            _log.HeartbeatRejected(inFull, LogLimiter.LeftOut(suppressed));
        }
    }

    /// <summary>
    /// Counts a heartbeat whose signature is good and that was refused all the same. Of a taken NodeID and of other
    /// settings the election's own events tell.
    /// </summary>
    /// <param name="status">How it was taken.</param>
    /// <param name="from">Its sender.</param>
    public void HeartbeatRefused(BeatStatus status, NodeFacts from)
    {
        var reason = WordConverter<BeatStatus>.Of(status);
        Metrics.HeartbeatRejected(reason);

        // Only a conflict's target is one of the member list. Any other is the sender's choice, and one that names
        // many would use up what the limiter can remember.
        int suppressed;
        switch (status)
        {
            case BeatStatus.OtherCluster when _limiter.Passes($"refused {reason}", out suppressed):
                _log.HeartbeatRejected($"{reason}, {from.Target} is of cluster {from.ClusterId}; nodes of one cluster have the same {HaKeys.ClusterId}", LogLimiter.LeftOut(suppressed));
                break;
            case BeatStatus.NotMember when _limiter.Passes($"refused {reason}", out suppressed):
                _log.HeartbeatRejected($"{reason}, {from.Target} ({from.Id}) is not in {HaKeys.Peers}", LogLimiter.LeftOut(suppressed));
                break;
            case BeatStatus.Conflict when _limiter.Passes($"refused {reason} {from.Target}", out suppressed):
                _log.HeartbeatNotFresh(from.Target, LogLimiter.LeftOut(suppressed));
                break;
        }
    }

    /// <summary>Counts an unanswered heartbeat and says so in the log, at most once a minute per peer and reason.</summary>
    /// <param name="peer">The peer's URL or id.</param>
    /// <param name="reason">One of a few fixed words.</param>
    /// <param name="detail">A few words for people; nothing the peer sent.</param>
    public void HeartbeatFailed(string peer, string reason, string detail)
    {
        Metrics.HeartbeatFailed(peer, reason);
        if (_limiter.Passes($"failed {peer} {reason}", out var suppressed))
        {
            _log.HeartbeatFailed(peer, reason, detail, LogLimiter.LeftOut(suppressed));
        }
    }

    /// <summary>Says that keys were read anew and are in use.</summary>
    /// <param name="signer">Names the key that signs; null: none does.</param>
    /// <param name="accepted">How many keys are accepted.</param>
    public void KeysReplaced(string? signer, int accepted) => _log.KeysReplaced(signer, accepted);

    /// <summary>Says why changed keys were not taken; once per change, so nothing to limit.</summary>
    /// <param name="problems">From the rules of the configuration, which show no secret.</param>
    public void KeysRefused(IEnumerable<string> problems) => _log.KeysRefused(string.Join(' ', problems));

    /// <summary>Says that the application's fence could not be raised, at most once a minute: it is tried in every interval.</summary>
    public void FenceFailed(Exception exception)
    {
        if (_limiter.Passes("fence", out var suppressed))
        {
            _log.FenceFailed(exception, LogLimiter.LeftOut(suppressed));
        }
    }

    /// <summary>Says that a call of the store failed, at most once a minute; null: that it was not answered in time.</summary>
    public void StoreFailed(Exception? exception)
    {
        if (_limiter.Passes(exception is null ? "store late" : "store", out var suppressed))
        {
            _log.StoreCallFailed(exception, LogLimiter.LeftOut(suppressed));
        }
    }

    /// <summary>Says that somebody waits for a leader where waiting may keep this node from ever leading.</summary>
    public void AwaitedBeforeReady() => _log.AwaitedBeforeReady();

    /// <summary>Says why changed certificates were not taken; once per change, so nothing to limit.</summary>
    /// <param name="problems">From the rules of the configuration, which show no key.</param>
    public void TlsRefused(IEnumerable<string> problems) => _log.TlsRefused(string.Join(' ', problems));

    /// <summary>Says when certificates were read anew and are in use, and when this node's own has ended.</summary>
    public void TlsInUse(DateTimeOffset? expiresAt, bool readAnew)
    {
        if (readAnew)
        {
            _log.TlsRenewed();
        }

        if (expiresAt < clock.GetUtcNow())
        {
            _log.TlsExpired(expiresAt.Value);
        }
    }

    private void Count(ElectionEvent e)
    {
        switch (e.Kind)
        {
            case ElectionEventKind.LeadershipWon: Metrics.LeadershipChanged("won"); break;
            case ElectionEventKind.LeadershipLapsed: Metrics.LeadershipChanged("lapsed"); break;
            case ElectionEventKind.LeadershipReleased: Metrics.LeadershipChanged("released"); break;
            case ElectionEventKind.LeaderSeen: Metrics.LeadershipChanged("seen"); break;
            case ElectionEventKind.LeaderLost: Metrics.LeadershipChanged("lost"); break;
            case ElectionEventKind.ConflictSeen: Metrics.ConflictSeen("leaders"); break;
            case ElectionEventKind.DuplicateId or ElectionEventKind.TwinSeen: Metrics.ConflictSeen("duplicate_id"); break;
            case ElectionEventKind.ConfigMismatch: Metrics.ConflictSeen("config_mismatch"); break;
        }
    }

    /// <summary>True for what a lasting cause reports again with every heartbeat or tick.</summary>
    private static bool Repeats(ElectionEventKind kind) => kind is
        ElectionEventKind.CampaignRefusedSlowNetwork or ElectionEventKind.PreemptionPending or
        ElectionEventKind.ConflictSeen or ElectionEventKind.ClockJumped or
        ElectionEventKind.DuplicateId or ElectionEventKind.ConfigMismatch or ElectionEventKind.TwinSeen or
        ElectionEventKind.RecordRefused;

    /// <returns>Who led last before this event.</returns>
    private string Remember(ElectionEvent e)
    {
        lock (_lock)
        {
            var old = _leader;
            _leader = e.Kind switch
            {
                ElectionEventKind.LeadershipWon => Self,
                ElectionEventKind.LeaderSeen => e.Node ?? Nobody,
                _ => old,
            };
            if (e.Kind is ElectionEventKind.CampaignStarted or ElectionEventKind.CampaignCancelled)
            {
                return old;
            }

            if (_recent.Count == MaxRecent)
            {
                _recent.Dequeue();
            }

            _recent.Enqueue(new RecentEvent(clock.GetUtcNow(), e.Kind, e.Node, e.Epoch, e.Why));
            return old;
        }
    }

    private void Log(ElectionEvent e, string oldLeader, string leftOut)
    {
        var node = e.Node ?? Self;
        switch (e.Kind)
        {
            case ElectionEventKind.QuarantineEnded: _log.QuarantineEnded(e.Why); break;
            case ElectionEventKind.QuarantineExtended: _log.QuarantineExtended(e.Why); break;
            case ElectionEventKind.CampaignStarted: _log.CampaignStarted(e.Epoch, e.Why); break;
            case ElectionEventKind.CampaignCancelled: _log.CampaignCancelled(e.Epoch, e.Why); break;
            case ElectionEventKind.CampaignRefusedSlowNetwork: _log.CampaignRefusedSlowNetwork(e.Why, leftOut); break;
            case ElectionEventKind.LeadershipWon or ElectionEventKind.LeaderSeen when node == oldLeader: _log.LeaderStays(node, e.Epoch, e.Why); break;
            case ElectionEventKind.LeadershipWon: _log.LeadershipWon(oldLeader, e.Epoch, e.Why); break;
            case ElectionEventKind.EpochBumped: _log.EpochBumped(e.Epoch, e.Why); break;
            case ElectionEventKind.LeadershipLapsed: _log.LeadershipLapsed(e.Epoch, e.Why); break;
            case ElectionEventKind.LeadershipReleased: _log.LeadershipReleased(e.Epoch, e.Why); break;
            case ElectionEventKind.LeaderSeen: _log.LeaderSeen(oldLeader, node, e.Epoch); break;
            case ElectionEventKind.LeaderLost: _log.LeaderLost(e.Node ?? oldLeader, e.Epoch, e.Why); break;
            case ElectionEventKind.HandoffStarted: _log.HandoffStarted(e.Node ?? "whoever wins", e.Epoch, e.Why); break;
            case ElectionEventKind.HandoffAborted: _log.HandoffAborted(e.Node ?? "whoever wins", e.Epoch, e.Why); break;
            case ElectionEventKind.DrainTimedOut: _log.DrainTimedOut(e.Epoch, e.Why); break;
            case ElectionEventKind.PreemptionPending: _log.PreemptionPending(node, e.Why, leftOut); break;
            case ElectionEventKind.ConflictSeen: _log.ConflictSeen(node, e.Epoch, e.Why, leftOut); break;
            case ElectionEventKind.ClockJumped: _log.ClockJumped(e.Why, leftOut); break;
            case ElectionEventKind.DuplicateId: _log.DuplicateId(node, e.Why, leftOut); break;
            case ElectionEventKind.ConfigMismatch: _log.ConfigMismatch(node, e.Why, leftOut); break;
            case ElectionEventKind.PeerUp: _log.PeerUp(node, e.Why); break;
            case ElectionEventKind.PeerDown: _log.PeerDown(node, e.Why); break;
            case ElectionEventKind.NobodyLeads: _log.NobodyLeads(e.Why); break;
            case ElectionEventKind.TwinSeen: _log.TwinSeen(node, e.Why, leftOut); break;
            case ElectionEventKind.StoreAway: _log.StoreAway(e.Why); break;
            case ElectionEventKind.StoreBack: _log.StoreBack(e.Why); break;
            case ElectionEventKind.RecordRefused: _log.RecordRefused(e.Why, leftOut); break;
            case ElectionEventKind.Paused: _log.Paused(); break;
            case ElectionEventKind.Resumed: _log.Resumed(); break;
            case ElectionEventKind.Unhealthy: _log.Unhealthy(e.Why); break;
            case ElectionEventKind.Recovered: _log.Recovered(); break;
            default: throw new ArgumentOutOfRangeException(nameof(e), e.Kind, message: null);
        }
    }
}
