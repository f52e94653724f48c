using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;

namespace Ha.Tests.Forwarding;

/// <summary>What docs/load-balancers.md tells an application to do about the client's address.</summary>
public class ForwardedHeadersTests
{
    [Theory]
    [InlineData(false, "203.0.113.7")]
    [InlineData(true, "203.0.113.7")]
    [InlineData(false, "198.51.100.1, 203.0.113.7")]
    [InlineData(true, "198.51.100.1, 203.0.113.7")]
    public async Task The_leader_sees_the_client_behind_a_balancer_with_and_without_a_node_in_between(bool throughFollower, string forwardedFor)
    {
        await using var leader = await TestNode.LeaderAsync(app =>
        {
            // The balancer and the follower of this test have loopback addresses, which are known without a word.
            app.UseForwardedHeaders(new ForwardedHeadersOptions
            {
                ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto,
                ForwardLimit = 2,
            });
            app.MapPost("/who", context => context.Response.WriteAsync($"{context.Request.Scheme} {context.Connection.RemoteIpAddress}"));
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var balancer = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{(throughFollower ? follower : leader).Url}/who") { Content = new StringContent("") };
        request.Headers.Add("X-Forwarded-For", forwardedFor);
        // A client may claim the first address; the balancer has seen the last.
        request.Headers.Add("X-Forwarded-Proto", "https");
        using var answer = await balancer.SendAsync(request);
        Assert.Equal("https 203.0.113.7", await answer.Content.ReadAsStringAsync());
    }
}
