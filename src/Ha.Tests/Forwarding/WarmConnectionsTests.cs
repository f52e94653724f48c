using System.Net;
using Ha.Forwarding;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>Connections to members are there before a write needs one.</summary>
public sealed class WarmConnectionsTests
{
    [Fact]
    public async Task The_first_write_that_a_node_forwards_finds_a_connection_with_its_handshake_done()
    {
        using var authority = new TestAuthority();
        var warmed = new TaskCompletionSource();
        await using var cluster = new KestrelCluster(
            ["a", "b", "c"],
            [("BASE_FORWARD_MODE", "proxy")],
            builder => builder.Services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter>(new Before(context =>
            {
                if (builder.Configuration["BASE_NODE_ID"] == "a" && HttpMethods.IsPost(context.Request.Method) && context.Request.Path == "/_ha/healthz"
                    && context.Request.Headers["X-Base-Forwarded-By"] == "b")
                {
                    context.Response.OnCompleted(() => Task.FromResult(warmed.TrySetResult()));
                }
            }))),
            authority);
        foreach (var node in cluster.Nodes)
        {
            node.App.MapPost("/which", (HttpContext context) => context.TraceIdentifier);
        }

        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        await warmed.Task.WaitAsync(TimeSpan.FromSeconds(30));

        // That one's answer may still be on its way back. Of this one the connection is free again.
        var forwarder = cluster.Nodes[1].App.Services.GetRequiredService<ForwardingServices>().Forwarder;
        await forwarder.KeepWarmAsync(cluster.Nodes[0].Url, CancellationToken.None);

        // Kestrel's identifier is the connection's and the number of the request on it.
        using var answer = await cluster.Nodes[1].PostAsync("/which");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False((await answer.Content.ReadAsStringAsync()).Contains(":00000001", StringComparison.Ordinal));
    }

    private sealed class Before(Action<HttpContext> look) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(inner => context =>
            {
                look(context);
                return inner(context);
            });
            next(app);
        };
    }
}
