using System.Globalization;
using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary><c>GET /_ha/leader</c> and <c>GET /_ha/peers</c>.</summary>
internal sealed class InfoEndpoints(EndpointSources sources)
{
    public Task LeaderAsync(HttpContext context)
    {
        var leader = Leader(sources.View());
        if (sources.Settings.PublicInfo)
        {
            context.Response.Headers[HaHeaders.Term] = leader.Term.ToString(CultureInfo.InvariantCulture);
        }

        return Answer.JsonAsync(context, StatusCodes.Status200OK, leader, EndpointJson.Default.LeaderAnswer);
    }

    public Task PeersAsync(HttpContext context)
    {
        var view = sources.View();
        var known = view.Leader.KnowsLeader;
        var peers = view.Members.Select(member => Peer(member, known)).ToArray();
        return Answer.JsonAsync(context, StatusCodes.Status200OK, peers, EndpointJson.Default.PeerAnswerArray);
    }

    private static PeerAnswer Peer(ClusterMember member, bool leaderKnown) => new(
        member.NodeId,
        member.Target,
        member.Up,
        member.Ordinal,
        member.LastSeen is { } seen ? Iso(seen) : null,
        member.IsLeader && leaderKnown,
        member.IsSelf,
        member.Role,
        member.ConfigMismatch,
        member.Paused,
        member.Unhealthy);

    private static string Iso(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private LeaderAnswer Leader(ClusterView view)
    {
        var leader = view.Leader;

        // The lease is read once: what is known and for how long must not come from two moments.
        var left = leader.LeaseRemaining;
        if (leader.LeaderId is null || left == TimeSpan.Zero)
        {
            return new LeaderAnswer(
                "", "", 0, 0, LeaseExpires: null, LeaseRemainingMs: 0, IsSelf: false, view.Quorum, leader.WhyNobodyLeads);
        }

        var endless = left == Timeout.InfiniteTimeSpan;
        return new LeaderAnswer(
            leader.LeaderUrl ?? "",
            leader.LeaderId,
            leader.Epoch,
            leader.Epoch,
            endless ? null : Iso(sources.Clock.GetUtcNow() + left),
            endless ? null : (long)left.TotalMilliseconds,
            leader.LeadsSelf,
            view.Quorum);
    }
}
