using System.Net;
using Ha.Configuration;
using Ha.Forwarding;
using Ha.Security;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Forwarding;

/// <summary>What is there before the first write needs it: connections, and code that has run.</summary>
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

        // Kestrel's identifier is the connection's and the number of the request on it.
        using var answer = await cluster.Nodes[1].PostAsync("/which");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.EndsWith(":00000002", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rehearsal_comes_to_its_end()
    {
        await using var app = TestApp.Create(TestApp.FixedFollower);
        var services = app.Services;
        var run = Rehearsal.RunAsync(
            services.GetRequiredService<HaSettings>(), services.GetRequiredService<NodeTls>(), services.GetRequiredService<IOptions<KestrelServerOptions>>());
        await run.WaitAsync(TimeSpan.FromSeconds(30));
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
