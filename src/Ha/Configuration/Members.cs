namespace Ha.Configuration;

/// <summary>Who is in the cluster. URLs are in their normal form, as far as they have one.</summary>
/// <param name="LocalTarget">This node's URL for members.</param>
/// <param name="PublicTarget">This node's URL for clients, where it has one of its own.</param>
/// <param name="StaticLeader">The fixed leader.</param>
/// <param name="Peers">The other members.</param>
/// <param name="UsesMajority">True when a leader needs the votes of most members.</param>
internal sealed record Members(
    string? LocalTarget, string? PublicTarget, string? StaticLeader, IReadOnlyList<string> Peers, bool UsesMajority)
{
    /// <summary>True when there is an election, and so heartbeats.</summary>
    public bool Elects => StaticLeader is null && Peers.Count > 0;
}
