using System.Net;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary><c>AllowedHosts</c> on a leader behind TLS: what passes and what it has to name; docs/applications.md says the same.</summary>
public sealed class HostFilterTests
{
    [Theory]
    [InlineData("application/json", "shop.example", HttpStatusCode.OK)]
    [InlineData("application/json", "localhost", HttpStatusCode.BadRequest)]
    [InlineData("application/grpc", "shop.example", HttpStatusCode.OK)]
    [InlineData("application/grpc", "localhost", HttpStatusCode.BadRequest)]
    public async Task A_forwarded_request_has_the_clients_own_host(string type, string allowed, HttpStatusCode status)
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("localhost").Load();
        await using var leader = await TestNode.LeaderAsync(app => app.MapPost("/pkg.S/Call", () => ""), new TestNodeSetup
        {
            Certificate = certificate,
            Protocols = HttpProtocols.Http1AndHttp2,
            Builder = builder => builder.Configuration.AddInMemoryCollection([KeyValuePair.Create("AllowedHosts", (string?)allowed)]),
        });
        await using var follower = await TestNode.ProxyAsync(
            $"https://localhost:{leader.Port}", new TestNodeSetup { Protocols = HttpProtocols.Http2, Options = o => o.CaFile = authority.File });
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/pkg.S/Call")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new(type) } },
            Headers = { Host = "shop.example" },
        };

        using var answer = await client.SendAsync(request);

        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task Heartbeats_pass_it()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseTestServer();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["AllowedHosts"] = "shop.example",
            ["BASE_LOCAL_TARGET"] = "http://a:1",
            ["BASE_PEERS"] = "http://b:1,http://c:1",
            ["BASE_CLUSTER_SECRET"] = "a-secret-for-the-tests-only",
        });
        builder.Services.AddHa();
        await using var app = builder.Build();
        app.MapGet("/notes", () => "");
        await app.StartAsync();
        using var client = app.GetTestClient();

        using var filtered = await client.GetAsync(new Uri("/notes", UriKind.Relative));
        using var heartbeat = await client.PostAsync(new Uri("/_ha/heartbeat", UriKind.Relative), content: null);

        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.UnsupportedMediaType), (filtered.StatusCode, heartbeat.StatusCode));
    }
}
