using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Ha.Tests.Endpoints;

public sealed class PauseEndpointTests
{
    [Theory]
    [InlineData("", null)]
    [InlineData("{}", null)]
    [InlineData("{\"to\":\"node-c\"}", "node-c")]
    public async Task A_pause_names_who_leads_next_as_often_as_it_is_asked(string body, string? expectedTo)
    {
        var asked = new List<string?>();
        await using var node = new TestNode
        {
            Pause = to =>
            {
                asked.Add(to);
                return new HandoffStart(HandoffResult.Accepted, to ?? "node-a");
            },
        };
        var first = await PostAsync(node, "/_ha/pause", body);
        Assert.Equal(HttpStatusCode.Accepted, first.Status);
        Assert.Equal($$"""{"paused":true,"successor":"{{expectedTo ?? "node-a"}}"}""", first.Body);
        Assert.Equal(first, await PostAsync(node, "/_ha/pause/", body));
        Assert.Equal([expectedTo, expectedTo], asked);
    }

    [Fact]
    public async Task A_leader_that_nobody_can_follow_is_not_paused()
    {
        await using var node = new TestNode { Pause = _ => new HandoffStart(HandoffResult.NotEligible) };
        Assert.Equal(
            (HttpStatusCode.Conflict, """{"title":"Conflict","status":409,"error":"target not eligible"}"""), await PostAsync(node, "/_ha/pause"));
    }

    [Fact]
    public async Task A_resume_says_who_leads()
    {
        var resumed = 0;
        await using var node = new TestNode { Resume = () => ++resumed > 0 };
        Assert.Equal((HttpStatusCode.Accepted, """{"paused":false,"successor":"node-a"}"""), await PostAsync(node, "/_ha/resume"));
        Assert.Equal(1, resumed);
    }

    [Theory]
    [InlineData("/_ha/pause")]
    [InlineData("/_ha/resume")]
    public async Task A_fixed_leader_cannot_be_paused(string route)
    {
        await using var node = new TestNode(self: "node-a");
        var (status, body) = await PostAsync(node, route);
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Contains("\"error\":\"this node's leader is fixed", body.Replace("\\u0027", "'", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_provider_that_cannot_be_paused_says_so()
    {
        ILeadershipControl control = new ControlOfAnotherMaker();
        await using var node = new TestNode { Pause = control.Pause, Resume = control.Resume };
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(node, "/_ha/pause")).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(node, "/_ha/resume")).Status);
    }

    [Theory]
    [InlineData("/_ha/pause", "nonsense")]
    [InlineData("/_ha/pause", "{\"target\":\"node-c\"}")]
    [InlineData("/_ha/pause", "{\"to\":\"\"}")]
    [InlineData("/_ha/resume", "[]")]
    [InlineData("/_ha/resume", "{\"to\":\"node-c\"}")]
    public async Task A_body_that_is_not_understood_changes_nothing(string route, string body)
    {
        await using var node = Untouchable();
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(node, route, body)).Status);
    }

    [Theory]
    [InlineData("/_ha/pause")]
    [InlineData("/_ha/resume")]
    public async Task They_are_guarded_as_a_step_down_is(string route)
    {
        await using var node = Untouchable();
        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync(node, route, token: "wrong")).Status);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await PostAsync(node, route, new string(' ', 5000))).Status);
        using var client = await node.StartAsync();
        using var get = await client.GetAsync(route);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
        Assert.Equal("POST", Assert.Single(get.Content.Headers.Allow));
        node.Settings = node.Settings with { AdminToken = null };
        Assert.Equal(HttpStatusCode.NotFound, (await PostAsync(node, route)).Status);
    }

    private static TestNode Untouchable() => new()
    {
        Pause = _ => throw new InvalidOperationException("it was asked"),
        Resume = () => throw new InvalidOperationException("it was asked"),
    };

    private static async Task<(HttpStatusCode Status, string Body)> PostAsync(
        TestNode node, string route, string body = "", string token = TestNode.Token)
    {
        using var client = await node.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, route);
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Written before there was a pause.</summary>
    private sealed class ControlOfAnotherMaker : ILeadershipControl
    {
        public WriteGate Gate { get; } = new();

        public Microsoft.AspNetCore.Http.RequestDelegate? Heartbeat => null;

        public ClusterView View() => throw new NotSupportedException();

        public void SetReady()
        {
        }

        public HandoffStart StepDown(string? toNodeId) => new(HandoffResult.NotLeader);

        public Task<bool> HandOffAsync(CancellationToken cancellationToken) => Task.FromResult(false);

        public void CheckFence(long epoch)
        {
        }
    }
}
