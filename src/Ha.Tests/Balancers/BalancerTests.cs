using Ha.Cli.Cluster;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Balancers;

/// <summary>
/// HAProxy, nginx and Caddy side by side before one cluster, each with a third of the writes. A minute in all, so a run
/// of its own: <c>dotnet test --filter Category=Balancers</c>.
/// </summary>
[Collection(ProcessTests.Name)]
[Trait("Category", "Balancers")]
public class BalancerTests(ITestOutputHelper output)
{
    /// <summary>In all three configurations.</summary>
    private static readonly TimeSpan _probeInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>What a busy machine may add. Without probes, writes would go elsewhere for ever.</summary>
    private static readonly TimeSpan _slack = TimeSpan.FromSeconds(3);

    [FactIfBalancers]
    public async Task Writes_reach_the_leader_alone_and_a_planned_move_or_a_rolling_restart_fails_no_request()
    {
        await using var cluster = await StartClusterAsync();
        await using var balancers = await AllBalancers.StartAsync([.. cluster.Nodes], output);
        foreach (var door in balancers.Doors)
        {
            await WritesGoToTheLeaderAsync(cluster, door);
            await ReadsAreSpreadAsync(cluster, door);
            await NodesOwnRoutesAreHiddenAsync(cluster, door);
        }

        await using var load = new OpenLoad(cluster, balancers.Doors);
        await using var reads = new SteadyReads(cluster, balancers.Doors);
        await MoreAsync(load, 200);
        var (began, successor) = await MoveAsync(cluster);
        await SettleAsync(load, balancers, began, successor);
        var settled = TimeProvider.System.GetTimestamp();
        foreach (var node in cluster.Nodes)
        {
            node.Terminate();
            await cluster.StartAgainAsync(node);
            await Eventually.True(async () => (await cluster.SendAsync(node, "GET", "/_ha/healthz/ready")).Status == 200, what: $"{node.Id} is ready");
        }

        await load.StopAsync();
        await reads.StopAsync();
        output.WriteLine($"{load.Results.Count} writes, {load.Failures.Count()} failed; {reads.Ok} reads, {reads.Failures.Count} failed");
        Assert.Empty(load.Failures);
        Assert.Empty(reads.Failures);
        AssertMoved("step-down", load, balancers, (began, settled), successor, _probeInterval + _slack);
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
    }

    [FactIfBalancers]
    public async Task A_killed_leader_is_left_within_a_lease_and_a_probe_and_costs_only_what_it_was_working_on()
    {
        await using var cluster = await StartClusterAsync();
        await using var balancers = await AllBalancers.StartAsync([.. cluster.Nodes], output);
        await using var load = new OpenLoad(cluster, balancers.Doors);
        await MoreAsync(load, 200);

        var killed = TimeProvider.System.GetTimestamp();
        cluster.A.Kill();
        await cluster.A.WhenDead.WaitAsync(TimeSpan.FromSeconds(10));
        var dead = TimeProvider.System.GetTimestamp();
        var leader = cluster.Node(await cluster.WaitForLeaderAsync());
        output.WriteLine($"{leader.Id} leads {TimeProvider.System.GetElapsedTime(killed).TotalMilliseconds:0} ms after the kill; lease {cluster.Lease.TotalMilliseconds:0} ms");
        await SettleAsync(load, balancers, killed, leader);
        var settled = TimeProvider.System.GetTimestamp();

        await load.StopAsync();
        output.WriteLine($"{load.Results.Count} writes, {load.Failures.Count()} failed: {string.Join(", ", load.Failures.CountBy(f => f.Door.Id))}");
        AssertMoved("kill -9", load, balancers, (killed, settled), leader, cluster.Lease + _probeInterval + _slack);
        Assert.All(load.Failures, failure => Assert.True(
            failure.DueAt < dead && TimeProvider.System.GetElapsedTime(failure.DueAt, killed) <= failure.Took, $"{failure.Text} was not in flight when the leader died: {failure.Failure}"));
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.B));
    }

    private Task<ExampleCluster> StartClusterAsync() => ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings
    {
        Mode = "proxy",
        // Several probes long.
        Environment = _ => new Dictionary<string, string?>(StringComparer.Ordinal) { ["BASE_SHUTDOWN_DELAY"] = "2s" },
    });

    /// <summary>Moves leadership to the next node, and says when.</summary>
    private static async Task<(long Began, NodeProcess Successor)> MoveAsync(ExampleCluster cluster)
    {
        while (true)
        {
            var leader = cluster.Node(await cluster.WaitForLeaderAsync());
            var successor = cluster.Nodes.First(node => node != leader);
            var began = TimeProvider.System.GetTimestamp();
            // On a busy machine leadership may have moved by itself just now.
            if (await cluster.StepDownAsync(leader, successor) is "accepted")
            {
                return (began, successor);
            }
        }
    }

    private static Task WritesGoToTheLeaderAsync(ExampleCluster cluster, Door door) => Eventually.True(async () =>
    {
        var leader = await cluster.WaitForLeaderAsync();
        for (var i = 0; i < 12; i++)
        {
            var answer = await cluster.AddAsync(door, "who is it?");
            Assert.Equal(201, answer.Status);
            if (answer.Header("X-Base-Node") != leader.NodeId)
            {
                return false;
            }
        }

        return true;
    }, _probeInterval + _slack, $"{door.Id} sends twelve writes in a row to the leader");

    private static Task ReadsAreSpreadAsync(ExampleCluster cluster, Door door)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return Eventually.True(async () =>
        {
            var answer = await cluster.SendAsync(door, "GET", "/notes?limit=1");
            Assert.Equal(200, answer.Status);
            seen.Add(answer.Header("X-Base-Node")!);
            return seen.Count == cluster.Nodes.Count;
        }, what: $"{door.Id} lets every node answer reads");
    }

    private static async Task NodesOwnRoutesAreHiddenAsync(ExampleCluster cluster, Door door)
    {
        foreach (var path in (string[])["/_ha", "/_ha/leader", "/_HA/leader", "/%5Fha/leader", "/notes/../_ha/leader", "/notes/%2e%2e/_ha/leader"])
        {
            var answer = await cluster.SendAsync(door, "GET", path);
            Assert.True(answer.Status == 404 && answer.Header("X-Base-Node") is null, $"{door.Id} let {path} through: {answer.Status}");
        }
    }

    private static Task MoreAsync(OpenLoad load, int count)
    {
        var goal = load.Results.Count + count;
        return Eventually.True(() => load.Results.Count >= goal, TimeSpan.FromSeconds(60), $"{count} more writes are answered");
    }

    /// <summary>Waits until the last second's writes through each door were answered by the new leader.</summary>
    private static Task SettleAsync(OpenLoad load, AllBalancers balancers, long since, NodeProcess leader) => Eventually.True(() => balancers.Doors.All(door =>
    {
        WriteResult[] after = [.. load.Results.Where(result => result.Door == door && result.DueAt >= since).OrderBy(result => result.DueAt)];
        var last = Array.FindLastIndex(after, result => result.AnsweredBy != leader.Id);
        return after.Length > 0 && TimeProvider.System.GetElapsedTime(last < 0 ? since : after[last].DueAt, after[^1].DueAt) > TimeSpan.FromSeconds(1);
    }), what: $"every balancer sends its writes to {leader.Id}");

    /// <summary>When the last write was due that a balancer did not send to the new leader itself; all writes are answered by now.</summary>
    private void AssertMoved(string why, OpenLoad load, AllBalancers balancers, (long From, long To) time, NodeProcess leader, TimeSpan bound)
    {
        foreach (var door in balancers.Doors)
        {
            WriteResult[] writes = [.. load.Results.Where(result => result.Door == door && result.DueAt >= time.From && result.DueAt <= time.To)];
            var took = writes.Where(result => result.AnsweredBy != leader.Id)
                .Max(result => (TimeSpan?)TimeProvider.System.GetElapsedTime(time.From, result.DueAt)) ?? TimeSpan.Zero;
            output.WriteLine($"{why}, {door.Id}: all writes straight to {leader.Id} from {took.TotalMilliseconds:0} ms on; longest wait {writes.Max(result => result.Took).TotalMilliseconds:0} ms");
            Assert.True(took < bound, $"{door.Id} took {took}");
        }
    }
}
