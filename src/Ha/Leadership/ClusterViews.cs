using Ha.Election;
using Ha.Leases;

namespace Ha.Leadership;

/// <summary>Makes what people see of the members.</summary>
internal static class ClusterViews
{
    private static readonly string _leaderRole = WordConverter<NodeRole>.Of(NodeRole.Leader);

    public static ClusterView OfElection(ElectionConfig config, ElectionCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall)
    {
        var members = new List<ClusterMember>(config.Voters)
        {
            Self(config.NodeId, config.Target, config.PublicTarget, config.Witness, core, leader, wall),
        };
        for (var i = 0; i < core.PeerCount; i++)
        {
            members.Add(Of(core.PeerAt(i), core.IsAlive(i, now), core.IsDuplicate(i, now), leader, now, wall));
        }

        members.Sort(CompareInSuccession);
        return new ClusterView([.. members.Select((member, at) => member with { Ordinal = at })], config.Majority ? "majority" : "off", leader);
    }

    /// <summary>Self, whoever leads, and whom the store knows where it keeps members. Nothing else is known of anybody.</summary>
    public static ClusterView OfStore(LeaseConfig config, LeaseCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall)
    {
        var members = new List<ClusterMember>
        {
            Self(config.NodeId, config.Target, config.PublicTarget, witness: false, core, leader, wall),
        };
        members.AddRange(core.Members
            .Where(member => member.NodeId != config.NodeId)
            .OrderBy(member => member.Age)
            .DistinctBy(member => member.NodeId, StringComparer.Ordinal)
            .Select(member => Of(member, core, leader, now, wall)));
        if (core.LeaderSeenAt(now) is { } seen && members.TrueForAll(member => member.NodeId != seen.Id))
        {
            members.Add(new ClusterMember(
                seen.Id, seen.Target, seen.PublicTarget, Up: true, 0, null, IsLeader: true, IsSelf: false, _leaderRole, null, null));
        }

        members.Sort(CompareInSuccession);
        return new ClusterView([.. members.Select((member, at) => member with { Ordinal = at })], "store", leader)
        {
            Arbiter = config.StoreDescription,
        };
    }

    /// <summary>Self, and the fixed leader where that is another node. Nothing is known of that one but its URL.</summary>
    public static ClusterView OfFixedLeader(string target, string publicTarget, LeadershipSnapshot leader, DateTimeOffset wall) =>
        new(SelfAndLeader(target, publicTarget, leader, otherId: "", wall), "static", leader);

    /// <summary>Self, and the leader where that is another node: all that a provider without a view tells.</summary>
    public static ClusterView OfProvider(string target, string publicTarget, LeadershipSnapshot leader, string provider, DateTimeOffset wall) =>
        new(SelfAndLeader(target, publicTarget, leader, leader.LeaderId ?? "", wall), "provider", leader) { Arbiter = provider };

    private static List<ClusterMember> SelfAndLeader(string target, string publicTarget, LeadershipSnapshot leader, string otherId, DateTimeOffset wall)
    {
        var leads = leader.LeadsSelf;
        var other = !leads && leader.LeaderId is not null;
        var role = leads ? _leaderRole : WordConverter<NodeRole>.Of(NodeRole.Follower);
        var self = new ClusterMember(leader.NodeId, target, publicTarget, Up: true, other ? 1 : 0, wall, leads, IsSelf: true, role, null, null);
        return !other ? [self] :
        [
            new ClusterMember(
                otherId, leader.LeaderTarget ?? "", leader.LeaderUrl ?? "", Up: false, 0, null, IsLeader: true, IsSelf: false, _leaderRole, null, null),
            self,
        ];
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
        peer.RoundTripMicros == 0 ? null : LeaseTime.FromMicros(peer.RoundTripMicros))
    {
        Paused = peer.Paused,
        Unhealthy = peer.Unhealthy,
    };

    private static ClusterMember Self(
        string id, string target, string publicTarget, bool witness, ILeadershipCore core, LeadershipSnapshot leader, DateTimeOffset wall) =>
        new(id, target, publicTarget, Up: true, 0, wall, leader.LeadsSelf, IsSelf: true,
            witness ? "witness" : WordConverter<NodeRole>.Of(core.Role), null, null)
        {
            Paused = core.Standing.Paused,
            Unhealthy = core.Standing.Trouble is not null,
        };

    private static ClusterMember Of(LeaseMember member, LeaseCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall)
    {
        var leads = string.Equals(member.NodeId, leader.LeaderId, StringComparison.Ordinal);
        return new ClusterMember(
            member.NodeId, member.Target, member.Url, core.IsAlive(member, now), 0,
            wall - member.Age - LeaseTime.FromMicros(now - core.MembersAt), leads, IsSelf: false,
            leads ? _leaderRole : WordConverter<NodeRole>.Of(NodeRole.Follower), null, null);
    }
}
