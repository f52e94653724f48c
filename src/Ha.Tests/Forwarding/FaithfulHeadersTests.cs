using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>Header values pass byte for byte, long ones too, and what the hop must add or change is undone or said.</summary>
public sealed class FaithfulHeadersTests
{
    private const string Utf8 = "X-Name: gr\u00c3\u00bcn\r\n", Latin1 = "X-Name: gr\u00fcn\r\n";

    [Theory]
    [InlineData("utf-8", Utf8)]
    [InlineData("latin1", Latin1)]
    [InlineData("latin1", Utf8)]
    public async Task Values_outside_of_ascii_keep_their_bytes_in_both_directions(string encoding, string header)
    {
        var setup = new TestNodeSetup { Builder = Encoded(Encoding.GetEncoding(encoding)) };
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(context =>
            {
                context.Response.Headers["X-Name"] = context.Request.Headers["X-Name"];
                return Task.CompletedTask;
            }),
            setup);
        await using var follower = await TestNode.ProxyAsync(leader.Url, setup);
        var request = $"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}Content-Length: 0\r\n\r\n";

        var direct = await RawConnection.AskAsync(leader.Port, request);
        var forwarded = await RawConnection.AskAsync(follower.Port, request);

        Assert.Contains(header, direct, StringComparison.Ordinal);
        Assert.Contains(header, forwarded, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_that_this_nodes_server_cannot_send_costs_the_header_and_not_the_answer()
    {
        await using var leader = new RawLeader(static async (connection, _) =>
            await connection.SendAsync("HTTP/1.1 201 Created\r\n" + Latin1 + "X-Plain: yes\r\nContent-Length: 2\r\n\r\nok"));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, new StringContent("x"));

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal("ok", await answer.Content.ReadAsStringAsync());
        Assert.Null(answer.Header("X-Name"));
        Assert.Equal("yes", answer.Header("X-Plain"));
        Assert.Contains(follower.Logs.Entries, entry => entry is { Id: 1208 } && entry.Text.Contains("X-Name", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(80)]
    [InlineData(1000)]
    public async Task Many_kilobytes_of_answer_headers_pass(int kilobytes)
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context =>
        {
            for (var i = 0; i < kilobytes; i++)
            {
                context.Response.Headers[$"X-Long-{i}"] = new string('a', 1024);
            }

            return context.Response.WriteAsync("done");
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = new HttpClient(new SocketsHttpHandler { MaxResponseHeadersLength = 2 * kilobytes });

        using var answer = await client.PostAsync(follower.Url, new StringContent("x"));

        Assert.Equal("done", await answer.Content.ReadAsStringAsync());
        Assert.Equal(kilobytes, answer.Headers.NonValidated.Count(header => header.Key.StartsWith("X-Long-", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("/x", "", "/shop")]
    [InlineData("/app/x?q=/app", "/app", "/shop")]
    [InlineData("/app/x", "/app", null)]
    public async Task The_prefix_of_a_proxy_in_front_reaches_the_leader(string target, string pathBase, string? prefix)
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context =>
            context.Response.WriteAsync($"[{context.Request.Headers["X-Forwarded-Prefix"]}]")));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            Before = app =>
            {
                app.UseForwardedHeaders(new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.All });
                app.UsePathBase(pathBase);
            },
        });
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + target) { Content = new StringContent("x") };
        if (prefix is not null)
        {
            request.Headers.Add("X-Forwarded-For", "1.2.3.4");
            request.Headers.Add("X-Forwarded-Proto", "https");
            request.Headers.Add("X-Forwarded-Host", "shop.example");
            request.Headers.Add("X-Forwarded-Prefix", prefix);
        }

        using var answer = await client.SendAsync(request);

        Assert.Equal($"[{prefix}]", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task A_client_over_either_version_that_takes_trailers_reaches_a_leader_without_http2(HttpProtocols protocols)
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context => context.Response.WriteAsync(context.Request.Protocol)));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup { Protocols = protocols });
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url)
        {
            Version = protocols == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("x"),
        };
        request.Headers.TE.ParseAdd("trailers");

        using var answer = await client.SendAsync(request);

        Assert.Equal("HTTP/1.1", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("patch", "patch,patch")]
    [InlineData("Post", "Post,Post")]
    [InlineData("PATCH", "PATCH,")]
    [InlineData("purge", "purge,")]
    public async Task A_method_that_the_hop_must_spell_differently_travels_beside_it_and_is_restored(string method, string received)
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context =>
            context.Response.WriteAsync($"[{context.Request.Method},{context.Request.Headers["X-Base-Method"]}]")));
        await using var follower = await TestNode.ProxyAsync(leader.Url);

        var answer = await RawConnection.AskAsync(
            follower.Port, $"{method} / HTTP/1.1\r\nHost: a\r\nX-Base-Method: GET\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Contains($"[{received}]", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("h2c", "307")]
    [InlineData("something", "307")]
    [InlineData("WebSocket", "503")]
    public async Task Only_a_websocket_is_an_upgrade(string protocol, string status)
    {
        await using var follower = await TestNode.StartAsync(new TestNodeSetup
        {
            AfterRouting = true,
            Options = o => o.WriteHold = TimeSpan.Zero,
            App = app => app.MapGet("/ws", () => "here").RequireLeader(),
        });
        follower.Leadership.Follow("http://127.0.0.1:1");

        var answer = await RawConnection.AskAsync(
            follower.Port, $"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: {protocol}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 " + status, answer, StringComparison.Ordinal);
    }

    private static Action<WebApplicationBuilder> Encoded(Encoding encoding) => builder =>
        builder.Services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.RequestHeaderEncodingSelector = _ => encoding;
            kestrel.ResponseHeaderEncodingSelector = _ => encoding;
        });
}
