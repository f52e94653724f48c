using Ha.Cli.Cluster;
using Ha.Tests.Support;

namespace Ha.Tests.Processes;

/// <summary>Takes nodes away from a cluster under load, one after the other, and keeps count of what that may cost.</summary>
internal sealed class WriteTrials(ExampleCluster cluster, OpenLoad load, Action<string> say)
{
    private readonly List<(long From, long To)> _kills = [];

    /// <summary>The longest that a write due in the second from a SIGTERM or a kill took so far.</summary>
    public TimeSpan LongestWait { get; private set; }

    /// <summary>Writes that were under way when a leader died. Complete once the load has stopped.</summary>
    public int InFlightAtKills => _kills.Sum(kill => load.UnderWay(kill.From, kill.To));

    /// <summary>Kills, then rolling restarts, under a load that has been there for a while.</summary>
    /// <param name="kills">Of leaders.</param>
    /// <param name="rolls">Of all nodes.</param>
    /// <param name="warmUp">How much of the load is answered before.</param>
    public async Task RunAsync(int kills, int rolls, TimeSpan warmUp)
    {
        await load.AnswersAsync(warmUp);
        for (var kill = 0; kill < kills; kill++)
        {
            await KillLeaderAsync();
        }

        for (var roll = 0; roll < rolls; roll++)
        {
            await RestartEachAsync();
        }
    }

    public async Task RestartEachAsync()
    {
        foreach (var node in cluster.Nodes)
        {
            await SettleAsync();
            load.Through([.. cluster.Nodes.Where(other => other != node)]);
            var terminated = TimeProvider.System.GetTimestamp();
            node.Terminate();
            await node.WhenDead.WaitAsync(TimeSpan.FromSeconds(60));
            await ComeBackAsync(node);
            Report($"restart of {node.Id}", terminated);
        }
    }

    public async Task KillLeaderAsync()
    {
        await SettleAsync();
        var leader = cluster.Node(await cluster.WaitForLeaderAsync());
        load.Through([.. cluster.Nodes.Where(other => other != leader)]);

        // What was sent through the leader itself has no living node to wait for: let it be answered first.
        await Eventually.True(() => load.InFlightThrough(leader) == 0, TimeSpan.FromSeconds(60), "the leader's own clients are answered");
        var killed = TimeProvider.System.GetTimestamp();
        leader.Kill();
        await leader.WhenDead.WaitAsync(TimeSpan.FromSeconds(10));
        _kills.Add((killed, TimeProvider.System.GetTimestamp()));
        await cluster.WaitForLeaderAsync();
        var elected = TimeProvider.System.GetElapsedTime(killed);

        // A process that starts takes the processor from the survivors, which on other machines it would not.
        await load.AnswersAsync(TimeSpan.FromSeconds(3));
        await ComeBackAsync(leader);
        Report($"kill of {leader.Id}, all survivors agree after {elected.TotalMilliseconds:0} ms", killed);
    }

    private async Task ComeBackAsync(NodeProcess node)
    {
        await SettleAsync();
        await cluster.StartAgainAsync(node);
        await Eventually.True(
            async () => (await cluster.SendAsync(node, "GET", "/_ha/healthz/ready?leader=known")).Status == 200,
            TimeSpan.FromSeconds(60), $"{node.Id} is ready");
    }

    private void Report(string what, long from)
    {
        var (p99, worst, count) = load.InTheSecondAfter(from);
        LongestWait = worst > LongestWait ? worst : LongestWait;
        say($"{what}: {count} writes in the second from then, p99 {p99.TotalMilliseconds:0} ms, longest {worst.TotalMilliseconds:0} ms");
    }

    private Task SettleAsync() => load.AnswersAsync(TimeSpan.FromSeconds(0.5));
}
