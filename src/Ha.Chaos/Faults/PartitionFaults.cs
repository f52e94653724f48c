using Ha.Chaos.Nodes;

namespace Ha.Chaos.Faults;

/// <summary>Nodes that do not hear each other. Clients reach all of them all the time.</summary>
internal static class PartitionFaults
{
    public static IEnumerable<Fault> All =>
    [
        Partition("partition-node", c => c.Others.SelectMany(o => Both(o, c.Target))),
        Partition("partition-halves", c => Halves(c)),
        Partition("partition-deaf", c => c.Others.Select(o => (o, c.Target))),
        Partition("partition-mute", c => c.Others.Select(o => (c.Target, o))),
        Partition("partition-one-link", c => c.Random.Next(2) == 0 ? Both(c.Target, c.Others.ElementAt(c.Random.Next(c.Cluster.Nodes.Count - 1))) : [(c.Target, c.Others.First())]),
        Partition("partition-hub", c => Hub(c)),
        Partition("partition-chain", c => Chain(c)),
        Partition("partition-all", c => c.Cluster.Nodes.SelectMany(a => c.Cluster.Nodes.Where(b => b != a).Select(b => (a, b)))),
    ];

    // From says nothing that To hears.
    private static Fault Partition(string name, Func<FaultContext, IEnumerable<(ChaosNode From, ChaosNode To)>> cuts) => new(name, async c =>
    {
        var (links, time) = (cuts(c).ToArray(), c.Leases(0.5, 8));
        try
        {
            await Task.WhenAll(links.Select(l => l.To.Firewall.DropFromAsync(l.From.Address)));
            await c.HoldAsync(time);
            var dropped = await Task.WhenAll(c.Cluster.Nodes.Select(n => n.Firewall.CountAsync()));
            return $"{time.TotalMilliseconds:0} ms, {string.Join(' ', links.Select(l => l.From.Id + "↛" + l.To.Id))}, {dropped.Sum()} packets dropped";
        }
        finally
        {
            await Task.WhenAll(c.Cluster.Nodes.Select(n => n.Firewall.ClearAsync()));
        }
    })
    {
        OnNetwork = true,
    };

    private static IEnumerable<(ChaosNode, ChaosNode)> Both(ChaosNode a, ChaosNode b) => [(a, b), (b, a)];

    private static IEnumerable<(ChaosNode, ChaosNode)> Halves(FaultContext c)
    {
        var nodes = c.Shuffled();
        var left = nodes[..(nodes.Length / 2)];
        return left.SelectMany(a => nodes.Except(left).SelectMany(b => Both(a, b)));
    }

    // Everybody talks to the target only.
    private static IEnumerable<(ChaosNode, ChaosNode)> Hub(FaultContext c) =>
        c.Others.SelectMany(a => c.Others.Where(b => b != a).Select(b => (a, b)));

    // Each node talks to its two neighbours only.
    private static IEnumerable<(ChaosNode, ChaosNode)> Chain(FaultContext c)
    {
        var nodes = c.Shuffled();
        return nodes.SelectMany((a, i) => nodes.Where((_, j) => Math.Abs(i - j) > 1).Select(b => (a, b)));
    }
}
