using Ha.Election;

namespace Ha.Leases;

/// <summary>Who else is there, as the store tells, and why nobody leads.</summary>
internal sealed partial class LeaseCore
{
    private const long LeastPatienceMicros = 5_000_000;
    private const long ReportEveryMicros = 30_000_000;
    private const int MaxTwinsTold = 100;

    private readonly HashSet<string> _up = new(StringComparer.Ordinal);
    private readonly HashSet<string> _twins = new(StringComparer.Ordinal);
    private long _notedSince = long.MaxValue;
    private long _silenceCountsFrom = Peer.Never;
    private long _reportNobodyAt = long.MaxValue;

    /// <summary>The members of the last answer that had any; their ages are as of <see cref="MembersAt"/>.</summary>
    public IReadOnlyList<LeaseMember> Members { get; private set; } = [];

    /// <summary>When <see cref="Members"/> were received; in the distant past before the first time.</summary>
    public long MembersAt { get; private set; } = Peer.Never;

    /// <summary>True while the store tells of another member that is alive, or tells of none at all.</summary>
    public bool HasOthers => IsBlind || _up.Count > 0;

    /// <summary>True where the store keeps no members: others may be there for all this node knows.</summary>
    private bool IsBlind => MembersAt == Peer.Never;

    /// <inheritdoc />
    public string? WhyNobodyLeads { get; private set; }

    /// <summary>True when the store has heard of a member of <see cref="Members"/> within a lease, as far as this node knows.</summary>
    public bool IsAlive(LeaseMember member, long now) => Micros(member.Age) + (now - MembersAt) < _config.LeaseMicros;

    /// <summary>The lowest of the others that could lead, or the one of this id if it could.</summary>
    private LeaseMember? NextSuccessor(string? id, long now)
    {
        LeaseMember? lowest = null;
        foreach (var member in Members)
        {
            if (member.Eligible && member.NodeId != _config.NodeId && (id is null || member.NodeId == id) && IsAlive(member, now)
                && (lowest is null || string.CompareOrdinal(member.NodeId, lowest.NodeId) < 0))
            {
                lowest = member;
            }
        }

        return lowest;
    }

    private void LearnMembers(IReadOnlyList<LeaseMember>? members, long now)
    {
        if (members is null)
        {
            return;
        }

        if (now - MembersAt > 2 * _config.IntervalMicros)
        {
            // The store was silent, not the members: each must get a chance to be noted again.
            _silenceCountsFrom = now + _config.LeaseMicros;
        }

        (Members, MembersAt) = (members, now);
        foreach (var member in members)
        {
            if (member.NodeId == _config.NodeId)
            {
                NoticeTwin(member, now);
            }
            else if (IsAlive(member, now) && _up.Add(member.NodeId))
            {
                Report(ElectionEventKind.PeerUp, member.NodeId, 0, "the store has heard of it");
            }
        }

        if (now >= _silenceCountsFrom)
        {
            _up.RemoveWhere(IsGone);
        }

        _notedSince = Math.Min(_notedSince, now);
    }

    private bool IsGone(string id)
    {
        foreach (var member in Members)
        {
            if (member.NodeId == id && IsAlive(member, MembersAt))
            {
                return false;
            }
        }

        Report(ElectionEventKind.PeerDown, id, 0, "the store has not heard of it for a lease");
        return true;
    }

    /// <summary>Another process with this node's id that the store has heard of since it first heard of this one.</summary>
    private void NoticeTwin(LeaseMember member, long now)
    {
        if (member.Incarnation != _self.Incarnation && IsAlive(member, now) && now - Micros(member.Age) > _notedSince
            && _twins.Count < MaxTwinsTold && _twins.Add(member.Incarnation))
        {
            Report(ElectionEventKind.DuplicateId, member.NodeId, 0,
                $"another process uses this node's id, at {(member.Target.Length > 0 ? member.Target : member.Url)}");
        }
    }

    /// <summary>Taking over needs a lease or so. What takes longer has a cause that somebody must see to.</summary>
    private void ExplainNobody(long now)
    {
        if (IsLeaderAt(now) || LeaderSeenAt(now) is not null)
        {
            WhyNobodyLeads = null;
            _reportNobodyAt = long.MaxValue;
            return;
        }

        WhyNobodyLeads = _failures > 0 ? $"{_config.StoreDescription} does not answer: {_trouble}; {AboutSelf(now)}" : AboutSelf(now);
        if (_reportNobodyAt == long.MaxValue)
        {
            _reportNobodyAt = now + Math.Max(LeastPatienceMicros, 3 * _config.LeaseMicros);
        }
        else if (now >= _reportNobodyAt)
        {
            _reportNobodyAt = now + ReportEveryMicros;
            Report(ElectionEventKind.NobodyLeads, null, 0, WhyNobodyLeads);
        }
    }

    private string AboutSelf(long now)
    {
        if (Role == NodeRole.Leader)
        {
            return _floorConfirmed
                ? "this node holds the lease and makes sure of it after a jump of the clock"
                : "this node has won and waits for the application's fence";
        }

        var record = AboutRecord();
        if (IsEligible(now))
        {
            return _seen.State == LeaseState.Unseen ? record : $"{record}; this node takes the lease as soon as it may";
        }

        var self = _draining ? "this node is shutting down"
            : !_ready ? "this node does not listen yet or still warms up"
            : !Standing.Stands ? $"this node {Standing.Why}"
            : "this node could not raise the application's fence and lets others try";
        return $"{record}; {self}";
    }

    private string AboutRecord() => _seen.State switch
    {
        LeaseState.Unseen => $"{_config.StoreDescription} has not answered yet",
        LeaseState.Absent => "there is no record in the store",
        LeaseState.Vacant => "the record in the store names nobody, and who held it may still believe in its lease",
        LeaseState.Released when _seen.Record!.Successor is { } named => $"the lease was released, for {named} to take first",
        LeaseState.Released => "the lease was released",
        LeaseState.Held when _seen.Mine => "the record is of an earlier term of this node",
        LeaseState.Held => $"the record is {_seen.Record!.HolderId}'s",
        LeaseState.Nonsense => "the record in the store makes no sense",
        _ => throw new InvalidOperationException($"A record cannot be {_seen.State}."),
    };
}
