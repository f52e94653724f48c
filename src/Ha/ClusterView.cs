namespace Ha;

/// <summary>One coherent view of all members, for <c>/_ha/peers</c> and the status page. Immutable.</summary>
/// <param name="Members">Self included, in the order of their ids.</param>
/// <param name="Quorum">One word for who arbitrates: <c>majority</c>, <c>off</c>, <c>static</c>, <c>store</c>, or a provider's own.</param>
/// <param name="Leader">Who leads, as of the same moment.</param>
public sealed record ClusterView(IReadOnlyList<ClusterMember> Members, string Quorum, LeadershipSnapshot Leader)
{
    /// <summary>Who decides, for people, where that is not the members: a store and where it is, a provider. Never a secret.</summary>
    public string? Arbiter { get; init; }
}

/// <summary>One member as the node that was asked sees it. Immutable.</summary>
/// <param name="NodeId">Empty while the member was never heard.</param>
/// <param name="Target">Normalised URL as members reach it.</param>
/// <param name="PublicTarget">Normalised URL as clients reach it; empty while unknown.</param>
/// <param name="Up">Heard within the lease timeout; true for self.</param>
/// <param name="Ordinal">Place among the members in the order of succession, from 0; those never heard come last.</param>
/// <param name="LastSeen">Wall time of the last authenticated message; null: never.</param>
/// <param name="IsLeader">This is the leader that <see cref="ClusterView.Leader"/> names.</param>
/// <param name="IsSelf">This is the node that was asked.</param>
/// <param name="Role">A word: <c>leader</c>, <c>candidate</c>, <c>follower</c>, <c>witness</c> or <c>unknown</c>.</param>
/// <param name="ConfigMismatch">How its settings differ from this node's; null: they agree.</param>
/// <param name="RoundTrip">The last heartbeat's round trip; null for self and before the first.</param>
public sealed record ClusterMember(
    string NodeId,
    string Target,
    string PublicTarget,
    bool Up,
    int Ordinal,
    DateTimeOffset? LastSeen,
    bool IsLeader,
    bool IsSelf,
    string Role,
    string? ConfigMismatch,
    TimeSpan? RoundTrip)
{
    /// <summary>
    /// An operator told it not to lead. Where a store arbitrates, and of nodes of an earlier version, it is known of self only.
    /// </summary>
    public bool Paused { get; init; }

    /// <summary>Its application's health keeps it from leading. Known of whom <see cref="Paused"/> is.</summary>
    public bool Unhealthy { get; init; }
}
