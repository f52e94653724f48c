using System.Net;
using Ha.Forwarding.Proxy;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

public sealed class HopArrivalTests
{
    [Theory]
    [InlineData("me", true, HttpStatusCode.LoopDetected)]
    [InlineData("other, me", true, HttpStatusCode.LoopDetected)]
    [InlineData("me,other", false, HttpStatusCode.LoopDetected)]
    [InlineData("me", false, HttpStatusCode.LoopDetected)]
    [InlineData("ME", true, HttpStatusCode.OK)]
    [InlineData("me2", true, HttpStatusCode.OK)]
    [InlineData("ME", false, HttpStatusCode.ServiceUnavailable)]
    [InlineData("me2", false, HttpStatusCode.ServiceUnavailable)]
    [InlineData("", false, HttpStatusCode.ServiceUnavailable)]
    public async Task A_node_knows_its_own_mark_whether_it_leads_or_not(string mark, bool leads, HttpStatusCode status)
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { Id = "me", App = app => app.MapPost("/x", () => "ran") });
        _ = leads ? node.Leadership.Lead() : node.Leadership.Follow("http://127.0.0.1:1");

        Assert.Equal(status, await AskAsync(node, mark));
    }

    [Fact]
    public async Task A_node_that_waits_for_its_fence_does_not_hold_what_came_back_to_it()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup { Id = "me" });
        node.Leadership.AwaitFence();

        Assert.Equal(HttpStatusCode.LoopDetected, await AskAsync(node, "me"));
    }

    [Fact]
    public void The_mark_may_stand_in_any_of_several_headers() => Assert.True(HopArrival.Names(new(["other", "x, me"]), "me"));

    [Fact]
    public async Task A_cache_before_the_write_path_does_not_let_a_loop_wait_for_itself()
    {
        await using var follower = await TestNode.ProxyAsync("http://placeholder", new TestNodeSetup
        {
            AfterRouting = true,
            Builder = builder => builder.Services.AddOutputCache(cache => cache.AddBasePolicy(policy => policy.Cache())),
            Before = app => app.UseOutputCache(),
            App = app => app.MapGet("/fresh", () => "ran").RequireLeader(),
        });
        follower.Leadership.Follow(follower.Url);
        using var client = TestNode.Client();

        using var answer = await client.GetAsync($"{follower.Url}/fresh");

        Assert.Equal(HttpStatusCode.LoopDetected, answer.StatusCode);
        Assert.Equal("loop detected", await answer.ErrorAsync());
    }

    private static async Task<HttpStatusCode> AskAsync(TestNode node, string mark)
    {
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{node.Url}/x") { Headers = { { HaHeaders.ForwardedBy, mark } } };
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }
}
