namespace Ha;

/// <summary>What <c>AddHaGrpc</c> gives to its delegate. Read once, before the first call of health. Not thread-safe.</summary>
public sealed class HaGrpcOptions
{
    /// <value>
    /// Names under which health says <c>SERVING</c> on the leader only, beside <c>ha.Leader</c> and <c>quis.RaftLeader</c>: those of
    /// services that clients call on the leader. Compared ordinally, none empty. Default: none.
    /// </value>
    public ISet<string> LeaderServices { get; } = new HashSet<string>(StringComparer.Ordinal);
}
