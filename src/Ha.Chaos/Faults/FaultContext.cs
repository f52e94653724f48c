using Ha.Chaos.Network;
using Ha.Chaos.Nodes;

namespace Ha.Chaos.Faults;

/// <summary>What a fault may touch. One for each fault that is run.</summary>
/// <param name="Cluster">The nodes.</param>
/// <param name="Database">The database behind them.</param>
/// <param name="Disk">The file system the database is on.</param>
/// <param name="Folder">For files of the fault's own; not on that disk.</param>
/// <param name="Target">The node it is aimed at.</param>
/// <param name="Random">All choices come from here.</param>
/// <param name="Lease">The lease timeout T.</param>
/// <param name="Clock">Real time.</param>
/// <param name="Cancellation">The run ends: heal and return.</param>
internal sealed record FaultContext(
    ChaosCluster Cluster, IDatabase Database, SmallDisk Disk, string Folder, ChaosNode Target, Random Random, TimeSpan Lease,
    TimeProvider Clock, CancellationToken Cancellation)
{
    /// <summary>What elects; null: the nodes themselves.</summary>
    public IStoreServer? Store { get; init; }

    /// <summary>The file system the store is on.</summary>
    public SmallDisk? StoreDisk { get; init; }

    public IEnumerable<ChaosNode> Others => Cluster.Nodes.Where(n => n != Target);

    /// <summary>A time between so many leases.</summary>
    public TimeSpan Leases(double least, double most) => Lease * Between(least, most);

    public double Between(double least, double most) => least + Random.NextDouble() * (most - least);

    /// <summary>Waits, at most until the run ends.</summary>
    public async Task HoldAsync(TimeSpan time)
    {
        try
        {
            await Task.Delay(time, Clock, Cancellation);
        }
        catch (OperationCanceledException)
        {
            // The fault heals now.
        }
    }

    /// <summary>No packet passes between the target and a server, either way.</summary>
    /// <param name="member">The server's name in <see cref="ChaosCluster.Addresses"/>.</param>
    /// <param name="time">How long.</param>
    public async Task<string> CutTargetOffAsync(string member, TimeSpan time)
    {
        var server = new Firewall(Namespaces.NameOf(member));
        try
        {
            await Target.Firewall.DropFromAsync(ChaosCluster.Addresses(0)[member]);
            await server.DropFromAsync(Target.Address);
            await HoldAsync(time);
            return $"{time.TotalMilliseconds:0} ms";
        }
        finally
        {
            await Target.Firewall.ClearAsync();
            await server.ClearAsync();
        }
    }

    public ChaosNode[] Shuffled()
    {
        ChaosNode[] nodes = [.. Cluster.Nodes];
        Random.Shuffle(nodes);
        return nodes;
    }
}
