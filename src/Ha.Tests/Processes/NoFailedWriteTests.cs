using Ha.Tests.Support;
using MinimalApiApp.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>The promise of the day of a deploy: late, not failed. Timings are printed, not asserted: machines are noisy.</summary>
[Collection(ProcessTests.Name)]
public class NoFailedWriteTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_rolling_restart_of_all_nodes_fails_no_write()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings { Mode = "proxy" });
        await using var load = new OpenLoad(cluster, cluster.B, cluster.C);
        await SettleAsync(load);

        foreach (var node in cluster.Nodes)
        {
            load.Through([.. cluster.Nodes.Where(other => other != node)]);
            var term = TimeProvider.System.GetTimestamp();
            node.Terminate();
            await node.WhenDead.WaitAsync(TimeSpan.FromSeconds(60));
            await SettleAsync(load);
            await node.StartAsync();
            await cluster.WaitUntilServingAsync(node);
            await UntilReadyAsync(cluster, node);
            var (p99, worst, count) = load.InTheSecondAfter(term);
            output.WriteLine($"restart of {node.Id}: {count} writes in the second from SIGTERM, p99 {p99.TotalMilliseconds:0} ms, worst {worst.TotalMilliseconds:0} ms");
        }

        await load.StopAsync();
        output.WriteLine($"{load.Results.Count} writes, {load.Failures.Count()} failed");
        Assert.Empty(load.Failures);
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_killed_leader_costs_at_most_the_writes_it_was_working_on(bool keys)
    {
        const int Kills = 3;
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings { Mode = "proxy" });
        await using var load = new OpenLoad(cluster, cluster.B, cluster.C) { Keys = keys };
        var mayBeUnknown = 0;
        for (var kill = 1; kill <= Kills; kill++)
        {
            await SettleAsync(load);
            var leader = cluster.Node(await cluster.WaitForLeaderAsync());
            load.Through([.. cluster.Nodes.Where(other => other != leader)]);

            // What was sent through the leader itself has no living node to wait for: let it be answered first.
            await Eventually.True(() => load.InFlightThrough(leader) == 0, TimeSpan.FromSeconds(60), "the leader's own clients are answered");
            mayBeUnknown += load.InFlight;
            var killed = TimeProvider.System.GetTimestamp();
            leader.Kill();
            await leader.WhenDead.WaitAsync(TimeSpan.FromSeconds(10));
            await cluster.WaitForLeaderAsync();
            await SettleAsync(load);
            await leader.StartAsync();
            await cluster.WaitUntilServingAsync(leader);
            await UntilReadyAsync(cluster, leader);
            var (_, worst, count) = load.InTheSecondAfter(killed);
            output.WriteLine($"kill {kill}, of {leader.Id}: {count} writes in the second after it, longest wait {worst.TotalMilliseconds:0} ms; lease {cluster.Lease.TotalMilliseconds:0} ms");
        }

        await load.StopAsync();
        output.WriteLine($"{load.Results.Count} writes, {load.Failures.Count()} of unknown outcome, {mayBeUnknown} were in flight at the kills");
        Assert.All(load.Failures, failure => Assert.Contains("outcome unknown", failure.Failure, StringComparison.Ordinal));
        Assert.InRange(load.Failures.Count(), 0, keys ? 0 : mayBeUnknown + Kills * 20);
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
    }

    private static Task SettleAsync(OpenLoad load)
    {
        var goal = load.Results.Count + 100;
        return Eventually.True(() => load.Results.Count >= goal, TimeSpan.FromSeconds(60), "a hundred more writes are answered");
    }

    private static Task UntilReadyAsync(ExampleCluster cluster, NodeProcess node) => Eventually.True(
        async () => (await cluster.SendAsync(node, "GET", "/_ha/healthz/ready?leader=known")).Status == 200, TimeSpan.FromSeconds(60), $"{node.Id} is ready");
}
