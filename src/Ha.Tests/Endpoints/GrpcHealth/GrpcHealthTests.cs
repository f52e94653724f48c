using System.Net;
using System.Text;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;

namespace Ha.Tests.Endpoints.GrpcHealth;

public sealed class GrpcHealthTests
{
    [Theory]
    [InlineData("ha.Leader", "SERVING 0", "NOT_SERVING 0")]
    [InlineData("quis.RaftLeader", "SERVING 0", "NOT_SERVING 0")]
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
        node.Feed.End();

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
        using var over = await node.WatchAsync("ha.Leader", timeout: "0n");
        Assert.EndsWith("4", await over.RestAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_many_watches_are_refused_and_those_of_clients_that_left_do_not_count()
    {
        await using var node = await GrpcNode.StartAsync(maxWatches: 1);
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
    [InlineData("", "", "12")]                                   // no message
    [InlineData("00000000", "", "13")]                           // half a prefix
    [InlineData("0000000005" + "0A03", "", "13")]                // half a message
    [InlineData("0000000000" + "0000000000", "", "12")]          // two messages
    [InlineData("0100000000", "", "13")]                         // compressed, the headers do not say so
    [InlineData("0100000000", "identity", "13")]
    [InlineData("0100000000", "gzip", "12")]                     // compressed by what is not known here
    [InlineData("0200000000", "gzip", "13")]                     // no such flag
    [InlineData("0000001001", "", "8")]                          // 4097 bytes are announced
    [InlineData("00FFFFFFFF", "", "8")]
    [InlineData("0000000002" + "0A05", "", "13")]                // a string longer than the message
    [InlineData("0000000001" + "0A", "", "13")]                  // no length
    [InlineData("0000000003" + "0A01FF", "", "13")]              // not UTF-8
    [InlineData("0000000001" + "00", "", "13")]                  // field 0
    [InlineData("0000000002" + "0B0C", "", "13")]                // a group
    [InlineData("000000000B" + "FFFFFFFFFFFFFFFFFFFF01", "", "13")] // a varint without end
    [InlineData("0000000000", "gzip", "SERVING 0")]              // could have been compressed, is not
    [InlineData("0000000004" + "0A0161" + "0A", "", "13")]
    [InlineData("0000000005" + "0A0161" + "0A00", "", "SERVING 0")] // the last value counts
    [InlineData("0000000013" + "0805" + "3D00000000" + "410000000000000000" + "4A0161", "", "SERVING 0")] // fields of the future
    public async Task A_message_is_read_as_gRPC_and_protobuf_say(string hex, string encoding, string outcome)
    {
        await using var node = await GrpcNode.StartAsync();
        foreach (var method in new[] { "Check", "Watch" })
        {
            using var call = await node.CallAsync(
                method, Convert.FromHexString(hex), ("grpc-encoding", encoding.Length > 0 ? encoding : null), ("grpc-timeout", method is "Watch" ? "50m" : null));
            var expected = method is "Watch" && outcome is "SERVING 0" ? "SERVING 4" : outcome;
            Assert.Equal((method, expected), (method, await call.RestAsync()));
            Assert.Equal("identity", call.Answer.Headers.GetValues("grpc-accept-encoding").Single());
        }
    }

    [Fact]
    public async Task Another_method_is_unimplemented()
    {
        await using var node = await GrpcNode.StartAsync();
        using var call = await node.CallAsync("List", [0, 0, 0, 0, 0]);
        Assert.Equal("12", await call.RestAsync());
        Assert.Equal("no such method", call.Answer.Headers.GetValues("grpc-message").Single());
    }

    [Theory]
    [InlineData("POST", "application/json", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("POST", "application/grpc-web", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("POST", "application/grpc+json", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("POST", "application/grpc", HttpStatusCode.UpgradeRequired)]
    [InlineData("POST", "Application/gRPC+proto; x=y", HttpStatusCode.UpgradeRequired)]
    [InlineData("PUT", "application/grpc", HttpStatusCode.MethodNotAllowed)]
    public async Task What_is_no_gRPC_over_HTTP_2_is_told_so(string method, string type, HttpStatusCode status)
    {
        await using var node = await GrpcNode.StartAsync();
        using var client = await node.Node.StartAsync();
        using var content = new StringContent("{}", Encoding.UTF8);
        content.Headers.Remove("Content-Type");
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var request = new HttpRequestMessage(new HttpMethod(method), "/grpc.health.v1.Health/Check") { Content = content };

        using var answer = await client.SendAsync(request);

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        Assert.NotNull(await answer.ErrorAsync());
        Assert.Equal(status == HttpStatusCode.MethodNotAllowed ? ["POST"] : [], answer.Content.Headers.Allow);
        Assert.Equal(status == HttpStatusCode.UpgradeRequired ? "HTTP/2.0" : "", answer.Headers.Upgrade.ToString());
    }

    [Fact]
    public async Task Where_it_is_off_the_service_is_the_applications()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        using var answer = await client.PostAsync("/grpc.health.v1.Health/Check", content: null);
        Assert.Equal("the app", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("1H", 36_000_000_000)]
    [InlineData("2M", 1_200_000_000L)]
    [InlineData("3S", 30_000_000L)]
    [InlineData("4m", 40_000L)]
    [InlineData("5u", 50L)]
    [InlineData("99999999n", 1_000_000L)]
    [InlineData("1n", 1L)]
    [InlineData("99999999H", null)]
    [InlineData("123456789m", null)]
    [InlineData("-1S", null)]
    [InlineData("1", null)]
    [InlineData("S", null)]
    [InlineData("1s", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void A_timeout_is_digits_and_a_unit(string? header, long? ticks) =>
        Assert.Equal(ticks, Ha.Endpoints.GrpcHealth.GrpcTimeout.Parse(header)?.Ticks);
}
