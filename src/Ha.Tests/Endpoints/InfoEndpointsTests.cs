using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Ha.Tests.Endpoints;

public sealed class InfoEndpointsTests
{
    [Fact]
    public async Task Leader_tells_url_id_epoch_and_lease()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        Assert.Equal(
            """{"leader_url":"https://node-a.example","node_id":"node-a","epoch":1753000000000001,"term":1753000000000001,"lease_expires":"2025-07-20T08:26:41.250Z","lease_remaining_ms":1250,"is_self":false,"quorum":"majority"}""",
            await client.GetStringAsync("/_ha/leader"));
    }

    [Theory]
    [InlineData(true, "/_ha/leader", "1753000000000001")]
    [InlineData(true, "/_ha/peers", null)]
    [InlineData(true, "/", null)]
    [InlineData(false, "/_ha/leader", null)]
    public async Task Leader_has_the_epoch_as_term_in_a_header_too(bool publicInfo, string path, string? term)
    {
        await using var node = new TestNode();
        node.Settings = node.Settings with { PublicInfo = publicInfo };
        using var client = await node.StartAsync();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestNode.Token);

        using var answer = await client.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(term, answer.Headers.TryGetValues("X-Base-Term", out var values) ? Assert.Single(values) : null);
        Assert.Equal(publicInfo, answer.Headers.Contains("X-Base-Epoch"));
    }

    [Fact]
    public async Task Leader_asked_on_the_leader_says_so()
    {
        await using var node = new TestNode(self: "node-a");
        using var client = await node.StartAsync();
        Assert.Contains("\"is_self\":true", await client.GetStringAsync("/_ha/leader"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 0)]
    [InlineData("node-a", 2)]
    public async Task No_leader_and_a_lease_that_ran_out_answer_200_with_an_empty_url(string? leader, int secondsLater)
    {
        await using var node = new TestNode(leader: leader);
        using var client = await node.StartAsync();
        node.Clock.Advance(TimeSpan.FromSeconds(secondsLater));
        Assert.Equal(
            """{"leader_url":"","node_id":"","epoch":0,"term":0,"lease_expires":null,"lease_remaining_ms":0,"is_self":false,"quorum":"majority"}""",
            await client.GetStringAsync("/_ha/leader"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Why_nobody_leads_is_told_to_whom_the_leader_is(bool publicInfo)
    {
        await using var node = new TestNode(leader: null);
        node.Settings = node.Settings with { PublicInfo = publicInfo };
        node.Provider.Current = LeadershipSnapshot.Nobody("node-b", "node-a is silent for 3 s");
        using var client = await node.StartAsync();
        using var anonymous = await client.GetAsync("/_ha/leader");
        var told = (await anonymous.Content.ReadAsStringAsync()).EndsWith(
            ""","quorum":"majority","why_nobody_leads":"node-a is silent for 3 s"}""", StringComparison.Ordinal);
        Assert.Equal((publicInfo ? HttpStatusCode.OK : HttpStatusCode.Unauthorized, publicInfo), (anonymous.StatusCode, told));
    }

    [Fact]
    public async Task A_static_leader_has_no_end_of_lease()
    {
        await using var node = new TestNode { Quorum = "static" };
        node.Provider.Current = new LeadershipSnapshot(node.Clock, long.MaxValue)
        {
            NodeId = "node-b",
            LeaderId = "primary",
            LeaderUrl = "http://primary",
        };
        using var client = await node.StartAsync();
        Assert.Equal(
            """{"leader_url":"http://primary","node_id":"primary","epoch":0,"term":0,"lease_expires":null,"lease_remaining_ms":null,"is_self":false,"quorum":"static"}""",
            await client.GetStringAsync("/_ha/leader"));
    }

    [Fact]
    public async Task Peers_lists_every_member_self_included()
    {
        await using var node = new TestNode();
        node.Members =
        [
            node.Members[0],
            node.Members[1],
            node.Members[2] with { Up = false, LastSeen = null, Role = "unknown", ConfigMismatch = "lease timeout is 3 s", Paused = true, Unhealthy = true },
        ];
        using var client = await node.StartAsync();
        Assert.Equal(
            """[{"node_id":"node-a","target":"http://node-a:8080","up":true,"ordinal":0,"last_seen":"2025-07-20T08:26:39.790Z","is_leader":true,"is_self":false,"role":"leader","config_mismatch":null,"paused":false,"unhealthy":false},""" +
            """{"node_id":"node-b","target":"http://node-b:8080","up":true,"ordinal":1,"last_seen":"2025-07-20T08:26:40.000Z","is_leader":false,"is_self":true,"role":"follower","config_mismatch":null,"paused":false,"unhealthy":false},""" +
            """{"node_id":"node-c","target":"http://node-c:8080","up":false,"ordinal":2,"last_seen":null,"is_leader":false,"is_self":false,"role":"unknown","config_mismatch":"lease timeout is 3 s","paused":true,"unhealthy":true}]""",
            await client.GetStringAsync("/_ha/peers"));
    }

    [Theory]
    [InlineData("/_ha")]
    [InlineData("/_ha/leader")]
    [InlineData("/_ha/peers")]
    public async Task Answers_are_not_stored_and_a_HEAD_has_no_body(string path)
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        using var get = await client.GetAsync(path);
        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        using var head = await client.SendAsync(request);
        Assert.Equal("no-store", get.Headers.CacheControl?.ToString());
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("/_ha")]
    [InlineData("/_ha/leader")]
    [InlineData("/_ha/peers")]
    [InlineData("/_ha/healthz")]
    [InlineData("/_ha/healthz/leader")]
    [InlineData("/_ha/healthz/ready")]
    public async Task Other_methods_are_refused_with_the_allowed_ones(string path)
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        using var response = await client.PostAsync(path, content: null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal("GET, HEAD", string.Join(", ", response.Content.Headers.Allow));
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
    }

    [Theory]
    [InlineData("/_ha")]
    [InlineData("/_ha/leader")]
    [InlineData("/_ha/peers")]
    public async Task Private_info_needs_the_token(string path)
    {
        await using var node = new TestNode();
        node.Settings = node.Settings with { PublicInfo = false };
        using var client = await node.StartAsync();

        using var anonymous = await client.GetAsync(path);
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.StatusCode);
        Assert.Equal("Bearer, Basic", string.Join(", ", anonymous.Headers.WwwAuthenticate.Select(challenge => challenge.Scheme)));
        Assert.DoesNotContain("node-a", await anonymous.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, path, "Bearer", TestNode.Token + "x"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, path, "Basic", Base64("admin:wrong")));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, path, "Basic", "not base64"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, path, "Bearer", TestNode.Token));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, path, "bearer", TestNode.Token));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, path, "Basic", Base64("anybody:" + TestNode.Token)));
    }

    [Theory]
    [InlineData("/_ha")]
    [InlineData("/_ha/leader")]
    [InlineData("/_ha/peers")]
    public async Task Private_info_without_a_token_is_not_there(string path)
    {
        await using var node = new TestNode();
        node.Settings = node.Settings with { PublicInfo = false };
        node.Settings = node.Settings with { AdminToken = null };
        using var client = await node.StartAsync();
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(client, path, "Bearer", "x"));
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path, string scheme, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue(scheme, value);
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
