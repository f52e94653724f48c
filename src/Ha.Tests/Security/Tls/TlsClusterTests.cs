using System.Net;
using System.Net.Http.Headers;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Security.Tls;

/// <summary>Real hosts that speak TLS to each other, with certificates that no machine trusts.</summary>
public sealed class TlsClusterTests : IDisposable
{
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public async Task Three_hosts_with_a_private_authority_and_client_certificates_elect_and_forward()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_FORWARD_MODE", "proxy"), ("BASE_LEASE_TIMEOUT", "1500ms")], authority: _authority);
        cluster.Nodes[0].App.MapPost("/protocol", (HttpRequest request) => $"{request.Scheme} {request.Protocol}");
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");

        Assert.Equal("https HTTP/1.1", await AskAsync(cluster.Nodes[1], HttpVersion.Version11));
        Assert.Equal("https HTTP/2", await AskAsync(cluster.Nodes[2], HttpVersion.Version20));
    }

    private static async Task<string> AskAsync(KestrelCluster.Node follower, Version version)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/protocol")
        {
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("x", new MediaTypeHeaderValue(version == HttpVersion.Version20 ? "application/grpc" : "text/plain")),
        };
        request.Headers.TE.ParseAdd("trailers");
        using var answer = await follower.Client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }
}
