using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;

namespace Ha.Chaos.Faults;

/// <summary>A roll that gives one node a wrong setting, is noticed after a while, and is put right.</summary>
internal static class SettingsFaults
{
    public static IEnumerable<Fault> All =>
    [
        Wrong("wrong-secret", _ => ("BASE_CLUSTER_SECRET", ClusterSettings.NewSecret())) with { WhyNot = m => WithStore(m, "no member signs anything") },
        Wrong("wrong-lease", c => ("BASE_LEASE_TIMEOUT", $"{c.Leases(1.2, 3).TotalMilliseconds:0}ms")),
        Wrong("duplicate-id", c => ("BASE_NODE_ID", c.Others.ElementAt(c.Random.Next(c.Cluster.Nodes.Count - 1)).Id)),
        Wrong("missing-peer", c => ("BASE_PEERS", string.Join(',', c.Cluster.Nodes.Except([c.Others.First()]).Select(n => n.Url)))) with
        {
            WhyNot = m => WithStore(m, "nobody lists the members"),
        },
        Wrong("wrong-cluster", _ => ("BASE_CLUSTER_ID", "other")) with { WhyNot = m => WithStore(m, "another cluster has a lease of its own, and a leader") },
    ];

    private static string? WithStore(Machine machine, string why) => machine.Store == StoreKind.Peers ? null : $"with a store {why}";

    private static Fault Wrong(string name, Func<FaultContext, (string Key, string? Value)> choose) => new(name, async c =>
    {
        var (patience, time, wrong) = (TimeSpan.FromSeconds(20), c.Leases(5, 12), choose(c));
        await c.Target.TerminateAsync(patience);
        using (c.Target.With(wrong))
        {
            // It may refuse to start, and is right if it does.
            c.Target.Start(mayEnd: true);
            await c.HoldAsync(time);
        }

        var ended = c.Target.Process.ExitCode;
        await c.Target.TerminateAsync(patience);
        c.Target.Start();
        return $"{time.TotalMilliseconds:0} ms{(ended is null ? "" : $", it ended with {ended}")}";
    })
    {
        OnProcesses = true,
    };
}
