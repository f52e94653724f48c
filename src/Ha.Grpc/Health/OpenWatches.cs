using System.Diagnostics.Metrics;

namespace Ha.Grpc.Health;

/// <summary>Counts the watches of gRPC health for the metric and for the limit. Thread-safe.</summary>
/// <param name="factory">The meter is that of <c>Ha</c> itself, which the factory keeps.</param>
internal sealed class OpenWatches(IMeterFactory factory)
{
    private readonly UpDownCounter<long> _watches = factory.Create("Ha").CreateUpDownCounter<long>(
        "ha.grpc_health.watches", "{watch}", "Open watches of grpc.health.v1.Health.");

    private int _open;

    /// <value>More than this are refused: each costs a few kilobytes, and nobody has so many balancers.</value>
    public int Most { get; init; } = 65_536;

    /// <returns>False: it is one too many. Call <see cref="Leave"/> in either case.</returns>
    public bool Enter()
    {
        _watches.Add(1);
        return Interlocked.Increment(ref _open) <= Most;
    }

    public void Leave()
    {
        Interlocked.Decrement(ref _open);
        _watches.Add(-1);
    }
}
