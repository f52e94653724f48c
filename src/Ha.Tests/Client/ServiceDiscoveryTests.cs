using System.Net;
using Ha.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.ServiceDiscovery;

namespace Ha.Tests.Client;

/// <summary>The lines of docs/client.md with the real package, as Aspire's service defaults add it to all clients.</summary>
public class ServiceDiscoveryTests
{
    [Fact]
    public async Task A_service_name_finds_the_nodes_and_writes_find_the_leader()
    {
        await using var leader = await NodeAsync(context => context.Response.WriteAsync("leader"));
        var leaderUrl = leader.Urls.Single();
        await using var follower = await NodeAsync(context =>
        {
            context.Response.StatusCode = context.Request.Method == "GET" ? 200 : 307;
            context.Response.Headers.Location = leaderUrl + context.Request.Path;
            return Task.CompletedTask;
        });
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Services:orders:http:0"] = follower.Urls.Single(),
            ["Services:orders:http:1"] = leaderUrl,
        }).Build());
        services.AddServiceDiscovery();
        services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
        services.AddHttpClient("orders").AddLeaderRouting(o => o.Nodes = ["https+http://orders"]);
        services.AddOptions<LeaderRoutingOptions>("orders").Configure<ServiceEndpointResolver>((o, resolver) =>
            o.ResolveNodes = async (name, stop) =>
                [.. (await resolver.GetEndpointsAsync(name.OriginalString, stop)).Endpoints.Select(e => new Uri(e.ToString()!))]);
        await using var provider = services.BuildServiceProvider();
        using var client = provider.GetRequiredService<IHttpClientFactory>().CreateClient("orders");

        for (var i = 0; i < 4; i++)
        {
            using var written = await client.PostAsync("/notes", content: null);

            Assert.Equal(HttpStatusCode.OK, written.StatusCode);
            Assert.Equal("leader", await written.Content.ReadAsStringAsync());
        }
    }

    private static async Task<WebApplication> NodeAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return app;
    }
}
