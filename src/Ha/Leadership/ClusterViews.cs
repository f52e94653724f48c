using Ha.Election;

namespace Ha.Leadership;

/// <summary>Makes what people see of the members.</summary>
internal static class ClusterViews
{
    public static ClusterView OfElection(ElectionConfig config, ElectionCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall)
    {
        var members = new List<ClusterMember>(config.Voters)
        {
            new(config.NodeId, config.Target, config.PublicTarget, Up: true, 0, wall, leader.LeadsSelf, IsSelf: true,
                config.Witness ? "witness" : WordConverter<NodeRole>.Of(core.Role), null, null),
        };
        for (var i = 0; i < core.PeerCount; i++)
        {
            members.Add(Of(core.PeerAt(i), core.IsAlive(i, now), core.IsDuplicate(i, now), leader, now, wall));
        }

        members.Sort(CompareInSuccession);
        return new ClusterView([.. members.Select((member, at) => member with { Ordinal = at })], config.Majority ? "majority" : "off", leader);
    }

    /// <summary>Self, and the fixed leader where that is another node. Nothing is known of that one but its URL.</summary>
    public static ClusterView OfFixedLeader(string target, string publicTarget, LeadershipSnapshot leader, DateTimeOffset wall)
    {
        var leads = leader.LeadsSelf;
        var role = WordConverter<NodeRole>.Of(leads ? NodeRole.Leader : NodeRole.Follower);
        var self = new ClusterMember(leader.NodeId, target, publicTarget, Up: true, leads ? 0 : 1, wall, leads, IsSelf: true, role, null, null);
        var other = new ClusterMember(
            "", leader.LeaderTarget ?? "", leader.LeaderUrl ?? "", Up: false, 0, null, IsLeader: true, IsSelf: false, "leader", null, null);
        return new ClusterView(leads ? [self] : [other, self], "static", leader);
    }

    /// <summary>Lowest id first; whoever was never heard has none and comes last.</summary>
    private static int CompareInSuccession(ClusterMember a, ClusterMember b) =>
        (a.NodeId.Length == 0).CompareTo(b.NodeId.Length == 0) is not 0 and var unheard ? unheard
        : string.CompareOrdinal(a.NodeId, b.NodeId) is not 0 and var byId ? byId
        : string.CompareOrdinal(a.Target, b.Target);

    private static ClusterMember Of(Peer peer, bool up, bool duplicate, LeadershipSnapshot leader, long now, DateTimeOffset wall) => new(
        peer.Id ?? "",
        peer.Target,
        peer.PublicTarget,
        up,
        0,
        peer.LastHeard == Peer.Never ? null : wall - LeaseTime.FromMicros(now - peer.LastHeard),
        peer.Id is not null && peer.Id == leader.LeaderId,
        IsSelf: false,
        peer.Id is null ? "unknown" : peer.Witness ? "witness" : WordConverter<NodeRole>.Of(peer.Role),
        duplicate ? "its NodeID is used by another member too" : peer.Mismatch,
        peer.RoundTripMicros == 0 ? null : LeaseTime.FromMicros(peer.RoundTripMicros));
}
