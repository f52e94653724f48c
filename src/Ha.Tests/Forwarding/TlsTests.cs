using System.Net;
using System.Security.Cryptography.X509Certificates;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>A leader behind TLS is checked by the name in its URL, whatever Host the client sent.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly TestAuthority _ours = new();
    private readonly TestAuthority _theirs = new();
    private readonly X509Certificate2 _localhost;
    private readonly X509Certificate2 _other;

    public TlsTests() => (_localhost, _other) = (_ours.Issue("localhost").Load(), _ours.Issue("other.example").Load());

    public void Dispose()
    {
        _localhost.Dispose();
        _other.Dispose();
        _ours.Dispose();
        _theirs.Dispose();
    }

    [Fact]
    public async Task A_write_reaches_the_leader_with_the_clients_host()
    {
        await using var leader = await LeaderAsync(_localhost);
        await using var follower = await FollowerAsync(leader, _ours);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/x?q=1") { Headers = { Host = "shop.example" } };

        using var answer = await client.SendAsync(request);

        Assert.Equal("https shop.example HTTP/1.1 /x?q=1", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Grpc_reaches_the_leader_over_http2()
    {
        await using var leader = await LeaderAsync(_localhost);
        await using var follower = await FollowerAsync(leader, _ours, HttpProtocols.Http2);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/pkg.S/Call")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new("application/grpc") } },
            Headers = { Host = "shop.example" },
        };

        using var answer = await client.SendAsync(request);

        // The handler would check the certificate against Host, so that stays behind here; X-Forwarded-Host has it.
        Assert.Equal($"https localhost:{leader.Port} HTTP/2 /pkg.S/Call", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task A_leader_with_another_name_gets_nothing(HttpProtocols protocols)
    {
        await using var leader = await LeaderAsync(_other);
        await using var follower = await FollowerAsync(leader, _ours, protocols);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url)
        {
            Version = protocols == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new("text/plain") } },
            Headers = { Host = "other.example" },
        };
        request.Headers.TE.ParseAdd("trailers");

        using var answer = await client.SendAsync(request);

        Assert.Equal("leader unreachable", await answer.ErrorAsync());
        Assert.Contains("NameMismatch", Assert.Single(follower.Logs.Entries, static entry => entry.Id == 1201).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_leader_whose_certificate_nobody_vouches_for_gets_nothing()
    {
        await using var leader = await LeaderAsync(_localhost);
        await using var follower = await FollowerAsync(leader, _theirs);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, content: null);

        Assert.Equal("leader unreachable", await answer.ErrorAsync());
        Assert.Contains("PartialChain", Assert.Single(follower.Logs.Entries, static entry => entry.Id == 1201).Text, StringComparison.Ordinal);
    }

    private static Task<TestNode> LeaderAsync(X509Certificate2 certificate) => TestNode.LeaderAsync(
        app => app.Run(context => context.Response.WriteAsync(
            $"{context.Request.Scheme} {context.Request.Host} {context.Request.Protocol} {context.Request.Path}{context.Request.QueryString}")),
        new TestNodeSetup { Certificate = certificate, Protocols = HttpProtocols.Http1AndHttp2 });

    private static Task<TestNode> FollowerAsync(TestNode leader, TestAuthority trusted, HttpProtocols protocols = HttpProtocols.Http1) =>
        TestNode.ProxyAsync($"https://localhost:{leader.Port}", new TestNodeSetup
        {
            Protocols = protocols,
            Options = o =>
            {
                o.WriteHold = TimeSpan.FromMilliseconds(50);
                o.CaFile = trusted.File;
            },
        });
}
