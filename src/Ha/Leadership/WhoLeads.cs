namespace Ha.Leadership;

/// <summary>What a write asks of a snapshot.</summary>
internal static class WhoLeads
{
    /// <summary>True when this node leads at this moment and its gate is open.</summary>
    public static bool AdmitsNow(this LeadershipSnapshot leadership) => leadership.AdmitsWrites && leadership.IsLeader;

    /// <summary>True when another node that can be named leads.</summary>
    public static bool LeadsElsewhere(this LeadershipSnapshot leadership) =>
        !leadership.LeadsSelf && leadership is { LeaderTarget: not null, LeaderUrl: not null }
        && !string.Equals(leadership.LeaderId, leadership.NodeId, StringComparison.Ordinal);

    /// <summary>True when a held request could move on: this node admits it, or another leads.</summary>
    public static bool TakesWrites(this LeadershipSnapshot leadership) => leadership.AdmitsNow() || leadership.LeadsElsewhere();

    /// <summary>The same, and not to the one who had it last.</summary>
    public static bool IsAnotherLeader(this LeadershipSnapshot leadership, LeadershipSnapshot last) =>
        leadership.TakesWrites()
        && (last.Epoch != leadership.Epoch
            || last.LeadsSelf != leadership.LeadsSelf
            || !string.Equals(last.LeaderTarget, leadership.LeaderTarget, StringComparison.Ordinal));
}
