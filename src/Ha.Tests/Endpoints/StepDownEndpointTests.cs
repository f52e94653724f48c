using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Ha.Tests.Endpoints;

public sealed class StepDownEndpointTests
{
    [Theory]
    [InlineData("", null)]
    [InlineData("{}", null)]
    [InlineData("{\"to\":null}", null)]
    [InlineData("{\"to\":\"node-c\"}", "node-c")]
    public async Task Accepted_names_the_successor(string body, string? expectedTo)
    {
        string? asked = "never asked";
        await using var node = new TestNode
        {
            StepDown = to =>
            {
                asked = to;
                return new HandoffStart(HandoffResult.Accepted, to ?? "node-b");
            },
        };
        var (status, answer) = await PostAsync(node, body);
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal($$"""{"successor":"{{expectedTo ?? "node-b"}}"}""", answer);
        Assert.Equal(expectedTo, asked);
    }

    [Fact]
    public async Task Not_leader_is_a_conflict_that_names_the_leader()
    {
        await using var node = new TestNode { StepDown = _ => new HandoffStart(HandoffResult.NotLeader) };
        var (status, answer) = await PostAsync(node, "");
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Equal("""{"title":"Conflict","status":409,"error":"not leader","leader":"https://node-a.example"}""", answer);
    }

    [Theory]
    [InlineData(HandoffResult.NotEligible, "target not eligible")]
    [InlineData(HandoffResult.AlreadyRunning, "a handoff is already running")]
    internal async Task Other_refusals_are_conflicts(HandoffResult outcome, string error)
    {
        await using var node = new TestNode { StepDown = _ => new HandoffStart(outcome) };
        var (status, answer) = await PostAsync(node, "");
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Equal($$"""{"title":"Conflict","status":409,"error":"{{error}}"}""", answer);
    }

    [Fact]
    public async Task A_fixed_leader_cannot_step_down_and_does_not_say_that_it_is_none()
    {
        await using var node = new TestNode(self: "node-a");
        var (status, answer) = await PostAsync(node, "");
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Equal(
            """{"title":"Conflict","status":409,"error":"this node\u0027s leader is fixed, or its provider takes no such orders"}""", answer);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"to\":5}")]
    [InlineData("{\"to\":\"\"}")]
    [InlineData("{\"target\":\"node-c\"}")]
    public async Task A_body_that_is_not_understood_moves_nothing(string body)
    {
        await using var node = new TestNode { StepDown = _ => throw new InvalidOperationException("it was asked") };
        var (status, answer) = await PostAsync(node, body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("\"error\":", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_refused()
    {
        await using var node = new TestNode { StepDown = _ => throw new InvalidOperationException("it was asked") };
        var (status, _) = await PostAsync(node, "{\"to\":\"" + new string('x', 5000) + "\"}");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, status);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer wrong")]
    [InlineData("Bearer " + TestNode.Token + " x")]
    [InlineData("Basic YTphLXRva2VuLWZvci10aGUtdGVzdHM=")] // a:a-token-for-the-tests: browsers add it by themselves
    public async Task Without_the_right_bearer_token_it_is_401(string? authorization)
    {
        await using var node = new TestNode { StepDown = _ => throw new InvalidOperationException("it was asked") };
        using var client = await node.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/_ha/step-down");
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("Bearer realm=\"ha\"", response.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task Without_a_configured_token_the_route_is_not_there()
    {
        await using var node = new TestNode();
        node.Settings = node.Settings with { AdminToken = null };
        var (status, _) = await PostAsync(node, "");
        Assert.Equal(HttpStatusCode.NotFound, status);
    }

    [Fact]
    public async Task Other_methods_are_refused()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/_ha/step-down");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal("POST", Assert.Single(response.Content.Headers.Allow));
    }

    private static async Task<(HttpStatusCode Status, string Body)> PostAsync(TestNode node, string body)
    {
        using var client = await node.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/_ha/step-down");
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TestNode.Token);
        using var response = await client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
