using System.Net;
using System.Text;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using TestNodes = Ha.Tests.Forwarding.TestNode;

namespace Ha.Tests.Endpoints.GrpcHealth;

public sealed class GrpcHealthTests
{
    [Theory]
    [InlineData("ha.Leader", "SERVING 0", "NOT_SERVING 0")]
    [InlineData("quis.RaftLeader", "SERVING 0", "NOT_SERVING 0")]
    [InlineData("shop.v1.Orders", "SERVING 0", "NOT_SERVING 0")]
    [InlineData("", "SERVING 0", "SERVING 0")]
    [InlineData("my.Service", "5", "5")]
    public async Task A_check_says_who_leads_and_who_takes_requests(string service, string onLeader, string onFollower)
    {
        await using var leader = await GrpcNode.StartAsync();
        using var first = await leader.CheckAsync(service);
        Assert.Equal(onLeader, await first.RestAsync());

        await using var follower = await GrpcNode.StartAsync("node-b");
        using var second = await follower.CheckAsync(service);
        Assert.Equal(onFollower, await second.RestAsync());
    }

    [Fact]
    public async Task A_check_does_not_believe_a_lease_that_ran_out()
    {
        await using var node = await GrpcNode.StartAsync();
        node.Node.Clock.Advance(TimeSpan.FromSeconds(1.25));
        using var check = await node.CheckAsync("ha.Leader");
        Assert.Equal("NOT_SERVING 0", await check.RestAsync());
    }

    [Fact]
    public async Task The_node_as_a_whole_is_as_its_ready_endpoint()
    {
        await using var node = await GrpcNode.StartAsync();
        using var watch = await node.WatchAsync("");
        Assert.Equal("SERVING", await watch.NextAsync());

        node.Node.Provider.Current = new LeadershipSnapshot(node.Node.Clock, 0) { NodeId = "node-a", Quarantined = true };
        Assert.Equal("NOT_SERVING", await watch.NextAsync());
        node.Node.Provider.Current = node.Node.Snapshot("node-a", leader: null);
        Assert.Equal("SERVING", await watch.NextAsync());
        node.Node.Provider.Current = new LeadershipSnapshot(node.Node.Clock, 0) { NodeId = "node-a", Draining = true };
        Assert.Equal("NOT_SERVING", await watch.NextAsync());
        node.Node.Provider.Current = node.Node.Snapshot("node-a", "node-b");
        Assert.Equal("SERVING", await watch.NextAsync());
        node.BeginToStop();
        Assert.Equal("NOT_SERVING", await watch.NextAsync());
    }

    [Fact]
    public async Task A_watch_answers_at_once_then_with_each_change_of_its_own_service_and_ends_with_the_node()
    {
        await using var node = await GrpcNode.StartAsync();
        using var leader = await node.WatchAsync("ha.Leader");
        using var unknown = await node.WatchAsync("my.Service");
        Assert.Equal("SERVING", await leader.NextAsync());
        Assert.Equal("SERVICE_UNKNOWN", await unknown.NextAsync());

        node.Node.Provider.Current = node.Node.Snapshot("node-a", "node-b");
        Assert.Equal("NOT_SERVING", await leader.NextAsync());
        node.Node.Provider.Current = node.Node.Snapshot("node-a", "node-c");
        node.Node.Provider.Current = node.Node.Snapshot("node-a", "node-a");
        Assert.Equal("SERVING", await leader.NextAsync());
        node.BeginToStop();
        node.Close();

        Assert.Equal("14", await leader.RestAsync());
        Assert.Equal("14", await unknown.RestAsync());
        using var late = await node.WatchAsync("ha.Leader");
        Assert.Equal("14", await late.RestAsync());
    }

    [Fact]
    public async Task A_watch_ends_at_the_clients_own_deadline()
    {
        await using var node = await GrpcNode.StartAsync();
        using var watch = await node.WatchAsync("ha.Leader", timeout: "200m");
        Assert.Equal("SERVING 4", await watch.RestAsync());
        using var over = await node.WatchAsync("ha.Leader", timeout: "1u");
        Assert.EndsWith("4", await over.RestAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_many_watches_are_refused_and_those_of_clients_that_left_do_not_count()
    {
        await using var node = await GrpcNode.StartAsync(setup: new GrpcNodeSetup { MaxWatches = 1 });
        using (var first = await node.WatchAsync("ha.Leader"))
        {
            Assert.Equal("SERVING", await first.NextAsync());
            using var second = await node.WatchAsync("ha.Leader");
            Assert.Equal("8", await second.RestAsync());
        }

        await Eventually.True(async () =>
        {
            using var third = await node.WatchAsync("ha.Leader", timeout: "1m");
            return await third.RestAsync() is "SERVING 4";
        });
    }

    [Theory]
    [InlineData("", "", false)]                                     // no message
    [InlineData("00000000", "", false)]                             // half a prefix
    [InlineData("0000000005" + "0A03", "", false)]                  // half a message
    [InlineData("0000000000" + "0000000000", "", false)]            // two messages
    [InlineData("0100000000", "", false)]                           // compressed, the headers do not say so
    [InlineData("0100000000", "identity", false)]
    [InlineData("0100000000", "br", false)]                         // compressed by what is not known here
    [InlineData("0200000000", "gzip", false)]                       // no such flag
    [InlineData("00FFFFFFFF", "", false)]                           // more is announced than anybody takes
    [InlineData("0000000002" + "0A05", "", false)]                  // a string longer than the message
    [InlineData("0000000001" + "0A", "", false)]                    // no length
    [InlineData("0000000001" + "00", "", false)]                    // field 0
    [InlineData("000000000B" + "FFFFFFFFFFFFFFFFFFFF01", "", false)] // a varint without end
    [InlineData("0000000004" + "0A0161" + "0A", "", false)]
    [InlineData("0000000000", "gzip", true)]                        // could have been compressed, is not
    [InlineData("0000000005" + "0A0161" + "0A00", "", true)]        // the last value counts
    [InlineData("0000000013" + "0805" + "3D00000000" + "410000000000000000" + "4A0161", "", true)] // fields of the future
    public async Task A_message_is_read_as_gRPC_and_protobuf_say(string hex, string encoding, bool isRead)
    {
        await using var node = await GrpcNode.StartAsync();
        foreach (var method in new[] { "Check", "Watch" })
        {
            using var call = await node.CallAsync(
                method, Convert.FromHexString(hex), ("grpc-encoding", encoding.Length > 0 ? encoding : null), ("grpc-timeout", method is "Watch" ? "50m" : null));
            var outcome = await call.RestAsync();
            Assert.Equal((method, isRead), (method, outcome is "SERVING 0" or "SERVING 4"));
            Assert.True(isRead || !outcome.Contains("SERVING", StringComparison.Ordinal), outcome);
        }
    }

    [Fact]
    public async Task Another_method_is_unimplemented()
    {
        await using var node = await GrpcNode.StartAsync();
        using var call = await node.CallAsync("List", [0, 0, 0, 0, 0]);
        Assert.Equal("12", await call.RestAsync());
    }

    [Theory]
    [InlineData("application/json", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpc-web", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpc", HttpStatusCode.UpgradeRequired)]
    [InlineData("Application/gRPC+proto; x=y", HttpStatusCode.UpgradeRequired)]
    public async Task What_is_no_gRPC_over_HTTP_2_is_told_so(string type, HttpStatusCode status)
    {
        await using var node = await GrpcNode.StartAsync(setup: new GrpcNodeSetup { Protocols = HttpProtocols.Http1 });
        using var client = TestNodes.Client();
        using var content = new StringContent("{}", Encoding.UTF8);
        content.Headers.Remove("Content-Type");
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await client.PostAsync(node.Url + "/grpc.health.v1.Health/Check", content);
        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task Where_it_is_not_mapped_the_service_is_the_applications()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        using var answer = await client.PostAsync("/grpc.health.v1.Health/Check", content: null);
        Assert.Equal("the app", await answer.Content.ReadAsStringAsync());
    }
}
