using Ha;

namespace MinimalApiApp.Notes;

/// <summary>Under which leadership a write runs. Without HA: this node, epoch 0, never lost.</summary>
/// <param name="Node">Who writes.</param>
/// <param name="Epoch">The fencing token.</param>
/// <param name="EnsureStillLeader">Throws <see cref="NotLeaderException"/> when the lease is gone, or too short to count on.</param>
/// <param name="Now">Who leads now, for a client that came too late; null: not known.</param>
internal sealed record WriteTicket(string Node, long Epoch, Action EnsureStillLeader, Func<LeadershipSnapshot?> Now)
{
    public bool Lost
    {
        get
        {
            try
            {
                EnsureStillLeader();
                return false;
            }
            catch (NotLeaderException)
            {
                return true;
            }
        }
    }

    /// <summary>For a request: what the middleware admitted it with.</summary>
    public static WriteTicket For(HttpContext http)
    {
        var leader = http.RequestServices.GetRequiredService<ILeaderProvider>();
        var admitted = http.Features.Get<IHaFeature>();
        return new(leader.Current.NodeId, admitted?.Epoch ?? 0, admitted is null ? () => { } : admitted.EnsureStillLeader, () => leader.Current);
    }

    /// <summary>For a background job.</summary>
    public static WriteTicket For(ILeaderProvider leader, LeadershipSnapshot leadership) => new(leadership.NodeId, leadership.Epoch, () =>
    {
        if (!leadership.IsLeader)
        {
            throw new NotLeaderException { LeaderUrl = leader.RedirectTarget };
        }
    }, () => leader.Current);

    /// <summary>What to throw when the database has seen a later epoch.</summary>
    public NotLeaderException FencedOut(Exception? why = null) =>
        Now() is { LeaderUrl: { } url } now && now.LeaderId != now.NodeId
            ? new NotLeaderException(why) { LeaderUrl = url, Epoch = now.Epoch }
            : new NotLeaderException(why);
}
