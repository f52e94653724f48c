using MinimalApiApp.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>
/// The promise of the day of a deploy: late, not failed. Timings are printed, not asserted: machines are noisy. The
/// <c>writes</c> command runs the same trials more often.
/// </summary>
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_killed_leader_costs_at_most_the_writes_it_was_working_on(bool keys)
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings { Mode = "proxy" });
        await using var load = new OpenLoad(cluster, cluster.B, cluster.C) { Keys = keys };
        var trials = new WriteTrials(cluster, load, output.WriteLine);

        await trials.KillLeaderAsync();

        await load.StopAsync();
        Assert.All(load.Failures, failure => Assert.Contains("outcome unknown", failure.Failure, StringComparison.Ordinal));
        Assert.InRange(load.Failures.Count(), 0, keys ? 0 : trials.InFlightAtKills);
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
    }
}
