using Ha.Chaos.Network;

namespace Ha.Chaos.Faults;

/// <summary>Packets that get lost, late, out of order, or come twice, to and from one node or between all.</summary>
internal static class LinkFaults
{
    public static IEnumerable<Fault> All =>
    [
        Rules("loss", (from, to, share) => to.LoseFromAsync(from, share), 0.02, 0.4) with { WhyNot = m => m.Losses ? null : "the firewall has no 'statistic'" },
        Rules("duplicate", (from, to, share) => to.DuplicateToAsync(from, share), 0.1, 1) with { WhyNot = m => m.Copies ? null : "the firewall has no 'TEE'" },
        Delay("delay", c =>
        {
            // From a slow network to one that is too slow for the heartbeat.
            var (middle, share) = (c.Lease * c.Between(0.005, 0.2), c.Between(0, 0.5));
            return ($"{middle.TotalMilliseconds:0} ms ± {share:0%}", () => middle * c.Between(1 - share, 1 + share));
        }),
        Delay("reorder", c =>
        {
            // Some go at once and overtake the rest.
            var (late, share) = (c.Lease * c.Between(0.01, 0.05), c.Between(0.1, 0.5));
            return ($"{share:0%} overtake the others by {late.TotalMilliseconds:0} ms", () => c.Random.NextDouble() < share ? TimeSpan.Zero : late);
        }),
    ];

    private static Fault Rules(string name, Func<string, Firewall, double, Task> add, double least, double most) => new(name, async c =>
    {
        var (share, time, everywhere) = (c.Between(least, most), c.Leases(2, 10), c.Random.Next(2) == 0);
        try
        {
            foreach (var other in c.Others)
            {
                await add(other.Address, c.Target.Firewall, share);
                await add(c.Target.Address, other.Firewall, share);
                foreach (var third in c.Others.Where(n => everywhere && n != other))
                {
                    await add(third.Address, other.Firewall, share);
                }
            }

            await c.HoldAsync(time);
            var met = await Task.WhenAll(c.Cluster.Nodes.Select(n => n.Firewall.CountAsync()));
            return $"{share:0%} {(everywhere ? "between all" : $"to and from {c.Target.Id}")}, {time.TotalMilliseconds:0} ms, {met.Sum()} packets";
        }
        finally
        {
            await Task.WhenAll(c.Cluster.Nodes.Select(n => n.Firewall.ClearAsync()));
        }
    })
    {
        OnNetwork = true,
    };

    private static Fault Delay(string name, Func<FaultContext, (string What, Func<TimeSpan> Next)> choose) => new(name, async c =>
    {
        var time = c.Leases(2, 10);
        var (what, next) = choose(c);
        // From here on its thread alone draws from the fault's Random.
        var packets = new PacketDelay(c.Target.Firewall.Namespace, next, c.Clock);
        try
        {
            foreach (var other in c.Others)
            {
                await c.Target.Firewall.QueueFromAsync(other.Address);
            }

            await c.HoldAsync(time);
        }
        finally
        {
            await c.Target.Firewall.ClearAsync();
            packets.Dispose();
        }

        return $"{what}, {time.TotalMilliseconds:0} ms, {packets.Count} packets";
    })
    {
        OnNetwork = true,
        WhyNot = m => m.Queues ? null : "the firewall has no 'NFQUEUE'",
    };
}
