using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Ha.Forwarding.Proxy;
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
    public async Task Grpc_reaches_the_leader_over_http2_with_the_clients_host()
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

        Assert.Equal("https shop.example HTTP/2 /pkg.S/Call", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Hosts_that_somebody_makes_up_make_up_no_connections()
    {
        var connections = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(context =>
            {
                connections[context.Connection.Id] = true;
                return context.Response.WriteAsync($"{context.Request.Host}");
            }),
            new TestNodeSetup { Certificate = _localhost, Protocols = HttpProtocols.Http1AndHttp2 });
        await using var follower = await FollowerAsync(leader, _ours, HttpProtocols.Http2);
        using var client = TestNode.Client();
        var seen = new List<string>();
        for (var i = 0; i < PooledHosts.Most + 8; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/pkg.S/Call")
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new("application/grpc") } },
                Headers = { Host = $"h{i}.example" },
            };
            using var answer = await client.SendAsync(request);
            seen.Add(await answer.Content.ReadAsStringAsync());
        }

        Assert.Equal(Enumerable.Range(0, PooledHosts.Most).Select(i => $"h{i}.example"), seen.Take(PooledHosts.Most));
        Assert.All(seen.Skip(PooledHosts.Most), host => Assert.Equal($"localhost:{leader.Port}", host));
        Assert.Equal(PooledHosts.Most + 1, connections.Count);
    }

    [Fact]
    public void A_host_that_nobody_calls_any_more_makes_room()
    {
        var clock = new ManualTime();
        var hosts = new PooledHosts(clock);
        Assert.All(Enumerable.Range(0, PooledHosts.Most), i => Assert.True(hosts.Admits($"h{i}.example")));
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.True(hosts.Admits("h0.example"));
        Assert.False(hosts.Admits("shop.example"));

        clock.Advance(TimeSpan.FromSeconds(1));

        Assert.True(hosts.Admits("shop.example"));
        Assert.True(hosts.Admits("h0.example"));
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
