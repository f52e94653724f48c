namespace Ha.Client.Routing;

/// <summary>
/// What all clients of one cluster share: its nodes, who leads, and which nodes do not answer. Thread-safe; one lock,
/// under which nothing waits, logs or calls out.
/// </summary>
internal sealed class ClusterMap
{
    private const int MaxLearned = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly Member[] _configured;
    private readonly bool _trustReported;
    private readonly TimeProvider _clock;
    private readonly ClientLog _log;
    private readonly ClientMetrics _metrics;
    private readonly long _origin;
    private volatile Leader? _leader;
    private volatile string? _ignored;
    private int _turn;

    public ClusterMap(IEnumerable<string> nodes, bool trustReported, TimeProvider clock, ClientLog log, ClientMetrics metrics)
    {
        (_trustReported, _clock, _log, _metrics) = (trustReported, clock, log, metrics);
        _origin = clock.GetTimestamp();
        _configured = [.. nodes.Select(url => new Member(url, configured: true, trusted: true))];
        foreach (var member in _configured)
        {
            _members.Add(member.Url, member);
        }
    }

    public IReadOnlyList<Member> Configured => _configured;

    public Member? LeaderNow => _leader?.Member;

    private TimeSpan Now => _clock.GetElapsedTime(_origin);

    /// <summary>May see credentials: configured, or reported and the options trust that.</summary>
    public bool IsTrusted(string url)
    {
        lock (_lock)
        {
            return _members.TryGetValue(url, out var member) && member.Trusted;
        }
    }

    /// <summary>
    /// The node for the next attempt: the leader, else the configured nodes in turn, without those that were tried in
    /// this round or are avoided. A round that could try nothing takes the one that is avoided for the shortest time.
    /// </summary>
    /// <param name="toLeader">Prefer the leader; the others would only redirect.</param>
    /// <param name="tried">Nodes that failed this round.</param>
    /// <param name="probe">How long others stay away from a node that this caller tries after its back-off.</param>
    public Member? Choose(bool toLeader, HashSet<Member> tried, TimeSpan probe)
    {
        lock (_lock)
        {
            var now = Now;
            if (toLeader && _leader is { } leader && !tried.Contains(leader.Member) && now >= leader.Member.AvoidUntil)
            {
                return leader.Member.ClaimNeedsLock(now + probe);
            }

            Member? soonest = null;
            var turn = _turn = (_turn + 1) % _configured.Length;
            for (var i = 0; i < _configured.Length; i++)
            {
                var member = _configured[(turn + i) % _configured.Length];
                if (tried.Contains(member))
                {
                    continue;
                }

                if (now >= member.AvoidUntil)
                {
                    return member.ClaimNeedsLock(now + probe);
                }

                soonest = soonest is null || member.AvoidUntil < soonest.AvoidUntil ? member : soonest;
            }

            return tried.Count > 0 || soonest is null ? null : soonest.ClaimNeedsLock(now + probe);
        }
    }

    /// <summary>Takes a given node for the next attempt, unless it is avoided.</summary>
    public bool TryClaim(Member member, TimeSpan probe)
    {
        lock (_lock)
        {
            var now = Now;
            if (now < member.AvoidUntil)
            {
                return false;
            }

            member.ClaimNeedsLock(now + probe);
            return true;
        }
    }

    /// <summary>The node gave an answer, whatever it was.</summary>
    public void Answered(Member member)
    {
        member.LastAnswer = _clock.GetTimestamp();
        if (member.Failures == 0)
        {
            return;
        }

        lock (_lock)
        {
            member.ClearNeedsLock();
        }

        _log.NodeIsBack(member.Url);
    }

    /// <summary>True when the node has answered nobody since then: one slow request does not make a dead node.</summary>
    public static bool IsSilentSince(Member member, long timestamp) => member.LastAnswer <= timestamp;

    /// <summary>The node could not be connected to, or was silent for too long.</summary>
    public void Failed(Member member, TimeSpan maxBackoff, double jitter, string reason)
    {
        TimeSpan? delay;
        lock (_lock)
        {
            delay = member.FailNeedsLock(Now, maxBackoff, jitter);
            member.RaiseFailedEpochNeedsLock(_leader?.Epoch ?? 0);
        }

        if (delay is { } avoided)
        {
            _metrics.Avoided(member.Url);
            _log.NodeAvoided(member.Url, avoided, member.Failures, reason);
        }
    }

    /// <summary>The node is not the leader any more, or not reachable: ask around.</summary>
    public void Forget(Member member)
    {
        lock (_lock)
        {
            if (_leader?.Member != member)
            {
                return;
            }

            member.RaiseFailedEpochNeedsLock(_leader.Epoch);
            _leader = null;
        }

        _log.LeaderForgotten(member.Url);
    }

    /// <summary>
    /// Takes in who leads. Nothing older than what is known counts, and nobody who has not noticed that a node is dead.
    /// A target that is new here is taken up only when a configured node names it and no encryption is lost; it becomes
    /// the leader for all calls only when the options trust it.
    /// </summary>
    /// <returns>The target as a member; null when it is none and must not become one.</returns>
    public Member? Learn(string url, long epoch, Member reporter)
    {
        if (_leader is { } known && known.Epoch == epoch && known.Member.Url == url)
        {
            return known.Member;
        }

        if (!MemberUrl.TryParse(url, out var target))
        {
            return null;
        }

        Member? member;
        bool changed;
        lock (_lock)
        {
            member = FindOrAddNeedsLock(target, reporter);
            changed = member is { Trusted: true } && SetLeaderNeedsLock(member, epoch);
        }

        if (changed)
        {
            _metrics.LeaderChanged();
            _log.LeaderLearned(target, epoch, reporter.Url);
        }
        else if (member is not { Trusted: true } && _ignored != target)
        {
            _ignored = target;
            _log.LeaderNotTrusted(target, reporter.Url);
        }

        return member;
    }

    private Member? FindOrAddNeedsLock(string target, Member reporter)
    {
        if (_members.TryGetValue(target, out var member))
        {
            return member;
        }

        if (!reporter.Configured || MemberUrl.IsDowngrade(reporter.Url, target) || _members.Count - _configured.Length >= MaxLearned)
        {
            return null;
        }

        member = new Member(target, configured: false, _trustReported);
        _members.Add(target, member);
        return member;
    }

    private bool SetLeaderNeedsLock(Member member, long epoch)
    {
        if (_leader is { } known && epoch < known.Epoch)
        {
            return false;
        }

        if (member.Failures > 0 && epoch > member.FailedEpoch)
        {
            member.ClearNeedsLock();
        }

        if (Now < member.AvoidUntil)
        {
            return false;
        }

        var changed = _leader?.Member != member;
        _leader = new Leader(member, epoch);
        return changed;
    }

    private sealed record Leader(Member Member, long Epoch);
}
