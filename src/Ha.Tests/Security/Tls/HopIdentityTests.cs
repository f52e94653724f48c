using Ha.Forwarding.Proxy;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Security.Tls;

/// <summary>Members that show certificates to each other: the hop's connection says nothing about the caller.</summary>
public sealed class HopIdentityTests : IDisposable
{
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public async Task The_leader_takes_no_forwarded_caller_for_the_node_and_none_for_the_caller_before()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_FORWARD_MODE", "proxy"), ("BASE_LEASE_TIMEOUT", "1500ms")], authority: _authority);
        foreach (var node in cluster.Nodes)
        {
            node.App.UseRouting();
            node.App.UseHa();
            node.App.MapPost("/who", WhoAsync);
            node.App.MapPost("/who-directly", WhoAsync).NeverProxy();
        }

        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        var (leader, follower) = (cluster.Nodes[0], cluster.Nodes[1]);

        Assert.Equal("certificate: CN=client, kept: nothing", await TextAsync(await leader.PostAsync("/who")));
        for (var caller = 0; caller < 5; caller++)
        {
            Assert.Equal("certificate: none, kept: nothing", await TextAsync(await follower.PostAsync("/who")));
        }

        using var redirected = await follower.PostAsync("/who-directly");
        Assert.Equal(307, (int)redirected.StatusCode);
        Assert.Equal(leader.Url + "/who-directly", redirected.Headers.Location!.OriginalString);
    }

    [Theory]
    [InlineData("patch", "PATCH", "patch")]
    [InlineData("DELETE", "PATCH", "PATCH")]
    [InlineData(null, "PATCH", "PATCH")]
    public void A_forwarded_method_gets_its_spelling_back_and_nothing_else(string? said, string method, string seen)
    {
        var context = new DefaultHttpContext { Request = { Method = method } };
        context.Request.Headers[HaHeaders.Method] = said;

        HopConnection.Leave(context);

        Assert.Equal(seen, context.Request.Method);
    }

    // Keeps something with the connection, as Negotiate keeps who has signed in.
    private static async Task WhoAsync(HttpContext context)
    {
        var certificate = await context.Connection.GetClientCertificateAsync();
        var items = context.Features.Get<IConnectionItemsFeature>()!.Items;
        var state = context.Features.Get<IPersistentStateFeature>()!.State;
        var kept = items.TryGetValue("user", out var user) || state.TryGetValue("user", out user) ? user : "nothing";
        items["user"] = state["user"] = "the caller before";
        await context.Response.WriteAsync($"certificate: {certificate?.Subject ?? "none"}, kept: {kept}");
    }

    private static async Task<string> TextAsync(HttpResponseMessage answer)
    {
        using (answer)
        {
            return await answer.Content.ReadAsStringAsync();
        }
    }
}
