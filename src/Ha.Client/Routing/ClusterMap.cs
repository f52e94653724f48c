namespace Ha.Client.Routing;

/// <summary>
/// What all clients of one cluster share: its nodes, who leads, and which nodes do not answer. Thread-safe; one lock,
/// under which nothing waits, logs or calls out.
/// </summary>
internal sealed class ClusterMap
{
    private const int MaxLearned = 64;
    private const int MaxNodes = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly IReadOnlyList<string> _names;
    private readonly NodeFinder _finder;
    private readonly bool _trustReported;
    private readonly TimeProvider _clock;
    private readonly ClientLog _log;
    private readonly ClientMetrics _metrics;
    private readonly long _origin;
    private volatile Member[] _configured = [];
    private HashSet<string> _found = new(StringComparer.Ordinal);
    private string? _lastFailure;
    private volatile Leader? _leader;
    private volatile string? _ignored;
    private volatile bool _showsNodes;
    private int _turn;

    /// <param name="names">The options' nodes, in one spelling.</param>
    /// <param name="finder">Finds out what is behind them.</param>
    /// <param name="trustReported">Leaders that a configured node names get credentials.</param>
    /// <param name="clock">All time comes from here.</param>
    /// <param name="log">The decisions, for people.</param>
    /// <param name="metrics">The decisions, for dashboards.</param>
    public ClusterMap(
        IReadOnlyList<string> names, NodeFinder finder, bool trustReported, TimeProvider clock, ClientLog log, ClientMetrics metrics)
    {
        (_names, _finder, _trustReported, _clock, _log, _metrics) = (names, finder, trustReported, clock, log, metrics);
        _origin = clock.GetTimestamp();
        Epochs = new SeenEpochs(clock);
        if (names.All(name => MemberUrl.TryParse(name, out _)) && !finder.Resolves)
        {
            Replace([.. names.Select(name => new FoundNode(name, name))], failure: null);
        }
    }

    /// <summary>The nodes behind the options' names; empty as long as none was found.</summary>
    public IReadOnlyList<Member> Configured => _configured;

    public SeenEpochs Epochs { get; }

    public NewestPosition Position { get; } = new();

    /// <summary>The nodes say that they answer themselves, so that who does not is none.</summary>
    public bool ShowsNodes
    {
        get => _showsNodes;
        set => _showsNodes = value;
    }

    public Member? LeaderNow => _leader?.Member;

    private TimeSpan Now => _clock.GetElapsedTime(_origin);

    /// <summary>Looks for the nodes again when it is time, beside everything else.</summary>
    /// <param name="anyway">A node does not answer.</param>
    public void LookAgain(bool anyway) => _ = _finder.Search(anyway, Replace);

    /// <summary>Waits for the first nodes, but not beyond <paramref name="limit"/>.</summary>
    public async Task FindNodesAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(limit, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            await Task.WhenAny(_finder.Search(anyway: true, Replace), _finder.FirstFound).WaitAsync(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The call goes on without, and may wait again.
        }
    }

    /// <summary>What stands in the options or was found behind that.</summary>
    public bool IsOfCluster(string url)
    {
        lock (_lock)
        {
            return _names.Contains(url, StringComparer.Ordinal) || _found.Contains(url) || IsTrustedNeedsLock(url);
        }
    }

    /// <summary>May see credentials: configured, or reported and the options trust that.</summary>
    public bool IsTrusted(string url)
    {
        lock (_lock)
        {
            return IsTrustedNeedsLock(url);
        }
    }

    /// <summary>
    /// The node for the next attempt: the leader, else the configured nodes in turn, without those that were tried in
    /// this round or are avoided, and spare ones after the others. A round that could try nothing takes the one that is avoided for
    /// the shortest time.
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

            Member? spare = null, soonest = null;
            var nodes = _configured;
            var turn = _turn = (_turn + 1) % Math.Max(1, nodes.Length);
            for (var i = 0; i < nodes.Length; i++)
            {
                var member = nodes[(turn + i) % nodes.Length];
                if (tried.Contains(member))
                {
                    continue;
                }

                if (now < member.AvoidUntil)
                {
                    soonest = soonest is null || member.AvoidUntil < soonest.AvoidUntil ? member : soonest;
                }
                else if (!member.IsSpare)
                {
                    return member.ClaimNeedsLock(now + probe);
                }
                else
                {
                    spare ??= member;
                }
            }

            if (spare is not null)
            {
                return spare.ClaimNeedsLock(now + probe);
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

    /// <summary>Takes in the epoch of the leader that a trusted node names, if any.</summary>
    public void Hear(Member node, long? epoch)
    {
        if (epoch is { } named && Epochs.Hear(node, named))
        {
            Position.Forget(above: Epochs.Highest);
        }
    }

    /// <summary>True when the node has answered nobody since then: one slow request does not make a dead node.</summary>
    public static bool IsSilentSince(Member member, long timestamp) => member.LastAnswer <= timestamp;

    /// <summary>The node could not be connected to, or was silent for too long.</summary>
    public void Failed(Member member, double jitter, string reason)
    {
        TimeSpan? delay;
        lock (_lock)
        {
            delay = member.FailNeedsLock(Now, jitter);
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
        else if (member is not { Trusted: true } && _ignored != target && !IsOfCluster(target))
        {
            _ignored = target;
            _log.LeaderNotTrusted(target, reporter.Url);
        }

        return member;
    }

    /// <summary>
    /// A write that a node behind a name has answered went to the leader, or through that node, when the leader goes by that
    /// name too: nothing else tells which of the name's addresses it is.
    /// </summary>
    public void LearnByAnswer(Member member, string? leader, long epoch)
    {
        if (member.Host is null || !MemberUrl.TryParse(leader, out var url) || url != member.Name)
        {
            return;
        }

        bool changed;
        lock (_lock)
        {
            changed = member.Trusted && SetLeaderNeedsLock(member, epoch);
        }

        if (changed)
        {
            _metrics.LeaderChanged();
            _log.LeaderLearned(member.Url, epoch, member.Url);
        }
    }

    private bool IsTrustedNeedsLock(string url) => _members.TryGetValue(url, out var member) && member.Trusted;

    private void Replace(IReadOnlyList<FoundNode> nodes, string? failure)
    {
        Member? left = null;
        bool isNews;
        lock (_lock)
        {
            isNews = failure is not null && failure != _lastFailure;
            _lastFailure = failure;
            if (nodes.Count > 0 && !nodes.SequenceEqual(_configured.Select(member => new FoundNode(member.Url, member.Name, member.IsSpare))))
            {
                left = ReplaceNeedsLock([.. nodes.Take(MaxNodes)]);
            }
        }

        if (isNews)
        {
            _log.NamesNotResolved(failure!);
        }

        if (left is not null)
        {
            _log.LeaderForgotten(left.Url);
        }
    }

    /// <returns>The leader, if it was among those that are gone.</returns>
    private Member? ReplaceNeedsLock(FoundNode[] nodes)
    {
        var before = _configured.ToDictionary(member => member.Url, StringComparer.Ordinal);
        foreach (var url in before.Keys)
        {
            _members.Remove(url);
        }

        _configured = [.. nodes.Select(node => before.TryGetValue(node.Url, out var member) && member.Name == node.Name && member.IsSpare == node.IsSpare
            ? member
            : new Member(node.Url, configured: true, trusted: true, node.Url == node.Name ? null : node.Name, node.IsSpare))];
        _found = nodes.Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var member in _configured)
        {
            _members[member.Url] = member;
        }

        Epochs.Expect(_configured);
        if (_leader is not { Member: { Configured: true } gone } || _configured.Contains(gone))
        {
            return null;
        }

        _leader = null;
        return gone;
    }

    private Member? FindOrAddNeedsLock(string target, Member reporter)
    {
        if (_members.TryGetValue(target, out var member))
        {
            return member;
        }

        // It may be any of the name's addresses, and the reporter itself.
        if (_found.Contains(target) || !reporter.Configured || MemberUrl.IsDowngrade(reporter.Url, target) || _members.Count - _configured.Length >= MaxLearned)
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
