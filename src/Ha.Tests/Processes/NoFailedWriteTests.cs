using Ha.Cli.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>
/// The promise of the day of a deploy: late, not failed. Timings are printed, not asserted: machines are noisy. The
/// <c>writes</c> command runs the same trials more often, and without keys.
/// </summary>
[Trait("Category", "Long")]
[Collection(ProcessTests.Name)]
public class NoFailedWriteTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_rolling_restart_of_all_nodes_fails_no_write()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings { Mode = "proxy" });
        await using var load = new OpenLoad(cluster, cluster.B, cluster.C);

        await new WriteTrials(cluster, load, output.WriteLine).RestartEachAsync();

        await load.StopAsync();
        Assert.Empty(load.Failures);
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
    }

    [Fact]
    public async Task A_killed_leader_costs_no_write_that_carries_a_key()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings { Mode = "proxy" });
        await using var load = new OpenLoad(cluster, cluster.B, cluster.C) { Keys = true };

        await new WriteTrials(cluster, load, output.WriteLine).KillLeaderAsync();

        await load.StopAsync();
        Assert.Empty(load.Failures);
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
    }
}
