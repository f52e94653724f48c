using Ha.Cli.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

[Collection(ProcessTests.Name)]
public class StartTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Three_nodes_that_start_together_elect_the_lowest()
    {
        await using var cluster = await ExampleCluster.StartAsync(output, new ClusterSettings());
        var start = TimeProvider.System.GetTimestamp();
        var leader = await cluster.WaitForLeaderAsync();
        // The quarantine began with each process; the issue allows it and half a second.
        var took = TimeProvider.System.GetElapsedTime(start);
        var quarantine = cluster.Lease + TimeSpan.FromMilliseconds(500);
        output.WriteLine($"{leader.NodeId} leads {took.TotalMilliseconds:0} ms after all nodes served; quarantine {quarantine.TotalMilliseconds:0} ms");
        Assert.True(took < quarantine + TimeSpan.FromSeconds(2), $"took {took}");
        if (leader.NodeId is not "a")
        {
            // The machine was so busy that a's first heartbeats came too late. Then leadership comes to it a little later.
            leader = await cluster.WaitForLeaderAsync(leader.Epoch);
        }

        Assert.Equal(("a", cluster.A.Url), (leader.NodeId, leader.Url));
    }

    [Fact]
    public async Task Without_any_variable_there_is_one_node_that_writes_and_no_endpoint()
    {
        await using var cluster = await ExampleCluster.StartAsync(output, new ClusterSettings
        {
            Nodes = 1,
            Environment = _ => new Dictionary<string, string?>(StringComparer.Ordinal) { ["BASE_PEERS"] = null, ["BASE_LOCAL_TARGET"] = null },
        });
        Assert.Equal(404, (await cluster.SendAsync(cluster.A, "GET", "/_ha/leader")).Status);
        var added = await cluster.AddAsync(cluster.A, "alone");
        Assert.Equal((201, 0L), (added.Status, added.Json.GetProperty("epoch").GetInt64()));
        Assert.Null(added.Header("X-Base-Node"));
    }

    [Theory]
    [InlineData("BASE_PEERS", "http://127.0.0.1:9", "BASE_LOCAL_TARGET", "")]
    [InlineData("BASE_PEERS", "127.0.0.1:9", "BASE_LOCAL_TARGET", "http://127.0.0.1:8")]
    [InlineData("BASE_LEASE_TIMEOUT", "400ms", "BASE_PEERS", "http://127.0.0.1:9")]
    [InlineData("BASE_CLUSTER_SECRET", "", "BASE_PEERS", "http://127.0.0.1:9")]
    [InlineData("BASE_PEER", "http://127.0.0.1:9", "BASE_NODE_ID", "a")]
    public async Task A_wrong_setting_stops_the_start_and_the_message_names_it(string key, string value, string otherKey, string otherValue)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["BASE_LOCAL_TARGET"] = "http://127.0.0.1:8",
            ["BASE_CLUSTER_SECRET"] = ClusterSettings.NewSecret(),
            ["ConnectionStrings__Notes"] = "Data Source=:memory:",
            [otherKey] = otherValue.Length == 0 ? null : otherValue,
            [key] = value.Length == 0 ? null : value,
        };
        await using var node = new NodeProcess("a", "http://127.0.0.1:0", ExampleCluster.Example, environment);
        node.Start();
        await node.WhenDead.WaitAsync(TimeSpan.FromSeconds(30));
        var said = string.Join('\n', node.Output);
        output.WriteLine(said);
        Assert.NotEqual(0, node.ExitCode);
        Assert.Contains(otherValue.Length == 0 ? otherKey : key, said, StringComparison.Ordinal);
        // The value of a key that nobody knows may be a secret under a misspelt name.
        Assert.Contains(key is "BASE_PEER" ? "BASE_PEERS" : value, said, StringComparison.Ordinal);
    }
}
