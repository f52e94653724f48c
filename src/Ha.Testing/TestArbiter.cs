namespace Ha.Testing;

/// <summary>Who decides about leadership in a <see cref="TestCluster"/>.</summary>
public enum TestArbiter
{
    /// <summary>The members, by heartbeats and votes: each is a <see cref="LuxLeader"/>.</summary>
    Peers,

    /// <summary>A lease in an <see cref="InMemoryLeaseStore"/>, at <see cref="TestCluster.Store"/>: each is a <see cref="LeaseLeader"/>.</summary>
    LeaseStore,
}
