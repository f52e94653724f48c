namespace Ha.Testing;

/// <summary>A <see cref="TestCluster"/> did not do what a test expected; the message shows what each node sees, and what happened.</summary>
public sealed class TestClusterException : Exception
{
    internal TestClusterException(string message)
        : base(message)
    {
    }
}
