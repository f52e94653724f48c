using System.Net;

namespace Ha.Tests.Endpoints;

public sealed class HealthEndpointsTests
{
    [Fact]
    public async Task Healthz_is_ok_while_the_process_serves()
    {
        await using var node = new TestNode(leader: null);
        await ExpectAsync(node, "/_ha/healthz", HttpStatusCode.OK, "ok\n");
    }

    [Fact]
    public async Task Leader_is_ok_on_the_leader_only()
    {
        await using var leader = new TestNode(self: "node-a");
        await ExpectAsync(leader, "/_ha/healthz/leader", HttpStatusCode.OK, "ok\n");

        await using var follower = new TestNode();
        await ExpectAsync(follower, "/_ha/healthz/leader", HttpStatusCode.ServiceUnavailable, "not leader\n");
    }

    [Fact]
    public async Task Leader_is_not_ok_once_the_lease_ran_out()
    {
        await using var node = new TestNode(self: "node-a");
        node.Clock.Advance(TimeSpan.FromSeconds(1.25));
        await ExpectAsync(node, "/_ha/healthz/leader", HttpStatusCode.ServiceUnavailable, "not leader\n");
    }

    [Fact]
    public async Task Ready_does_not_need_a_leader_unless_asked()
    {
        await using var node = new TestNode(leader: null);
        await ExpectAsync(node, "/_ha/healthz/ready", HttpStatusCode.OK, "ok\n");

        await using var asked = new TestNode(leader: null);
        await ExpectAsync(asked, "/_ha/healthz/ready?leader=known", HttpStatusCode.ServiceUnavailable, "no leader\n");

        await using var known = new TestNode();
        await ExpectAsync(known, "/_ha/healthz/ready?leader=known", HttpStatusCode.OK, "ok\n");
    }

    [Fact]
    public async Task Ready_says_quarantined_after_the_start()
    {
        await using var node = new TestNode(leader: null);
        node.Provider.Current = new LeadershipSnapshot(node.Clock, 0) { NodeId = "node-b", Quarantined = true };
        await ExpectAsync(node, "/_ha/healthz/ready", HttpStatusCode.ServiceUnavailable, "quarantined\n");
    }

    [Fact]
    public async Task Ready_says_draining_while_handing_over()
    {
        await using var node = new TestNode();
        node.Provider.Current = new LeadershipSnapshot(node.Clock, long.MaxValue) { NodeId = "node-b", Draining = true };
        await ExpectAsync(node, "/_ha/healthz/ready", HttpStatusCode.ServiceUnavailable, "draining\n");
    }

    [Fact]
    public async Task Ready_says_draining_once_the_host_stops()
    {
        await using var node = new TestNode { Stopping = new CancellationToken(canceled: true) };
        await ExpectAsync(node, "/_ha/healthz/ready", HttpStatusCode.ServiceUnavailable, "draining\n");
    }

    private static async Task ExpectAsync(TestNode node, string path, HttpStatusCode status, string body)
    {
        using var client = await node.StartAsync();
        using var get = await client.GetAsync(path);
        Assert.Equal(status, get.StatusCode);
        Assert.Equal(body, await get.Content.ReadAsStringAsync());
        Assert.Equal("text/plain; charset=utf-8", get.Content.Headers.ContentType?.ToString());
        Assert.Equal("no-store", get.Headers.CacheControl?.ToString());

        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        using var head = await client.SendAsync(request);
        Assert.Equal(status, head.StatusCode);
        Assert.Equal(get.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }
}
