using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Tests.Forwarding;

public sealed class ProxyTests
{
    [Theory]
    [InlineData("/notes?a=1")]
    [InlineData("/n%C3%B6te%2Fs/%7euser?q=%20+%2B;'()*!")]
    [InlineData("/a/./b/../c//d?x=/../y")]
    [InlineData("//double/slash?")]
    [InlineData("/x#not-a-fragment?y")]
    public async Task The_leader_gets_the_target_byte_for_byte(string target)
    {
        var (leader, follower) = await PairAsync(EchoTarget);
        await using var _ = leader;
        await using var __ = follower;

        var answer = await RawConnection.AskAsync(follower.Port, $"POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Contains($"\r\n\r\n[{target}]", Dechunk(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_absolute_target_reaches_the_leader_in_origin_form()
    {
        var (leader, follower) = await PairAsync(EchoTarget);
        await using var _ = leader;
        await using var __ = follower;

        var answer = await RawConnection.AskAsync(
            follower.Port, "POST http://evil.example/n%41?q HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Contains("[/n%41?q]", answer, StringComparison.Ordinal);
    }

    // Where "close" or "keep-alive" is among the options Kestrel shows that one alone: the others cannot be known then.
    [Theory]
    [InlineData("X-Secret-Hop")]
    [InlineData("x-secret-hop,,")]
    [InlineData("X-Other,X-Secret-Hop ")]
    public async Task Headers_arrive_less_hop_by_hop_and_with_the_way_they_took(string options)
    {
        var (leader, follower) = await PairAsync(EchoHeaders);
        await using var _ = leader;
        await using var __ = follower;

        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync(
            $"POST /x HTTP/1.1\r\nHost: shop.example:81\r\nConnection: {options}\r\nX-Secret-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\n"
            + "TE: trailers\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\nVia: 1.0 front\r\n"
            + "X-Base-Not-Executed: 1\r\nX-Base-Forward: redirect\r\nCookie: a=1\r\nCookie: b=2\r\nX-Many: 1\r\nX-Many: 2\r\n"
            + "Content-Type: text/plain\r\nContent-Language: de\r\nX-Utf8: gr\u00c3\u00bcn\r\nContent-Length: 2\r\n\r\nhi");
        var answer = await connection.ReceiveUntilAsync("X-Utf8");

        Assert.Contains("Host=shop.example:81\n", answer, StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-For=1.2.3.4, 127.0.0.1\n", answer, StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-Proto=https, http\n", answer, StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-Host=a, shop.example:81\n", answer, StringComparison.Ordinal);
        Assert.Contains("Via=1.0 front, 1.1 follower\n", answer, StringComparison.Ordinal);
        Assert.Contains("X-Base-Forwarded-By=follower\n", answer, StringComparison.Ordinal);
        Assert.Contains("Cookie=a=1; b=2\n", answer, StringComparison.Ordinal);
        Assert.Contains("X-Many=1, 2\n", answer, StringComparison.Ordinal);
        Assert.Contains("Content-Type=text/plain\n", answer, StringComparison.Ordinal);
        Assert.Contains("Content-Language=de\n", answer, StringComparison.Ordinal);
        Assert.Contains("Content-Length=2\n", answer, StringComparison.Ordinal);
        Assert.Contains("X-Utf8=gr\u00c3\u00bcn\n", answer, StringComparison.Ordinal);
        foreach (var dropped in new[] { "X-Secret-Hop", "Keep-Alive", "Proxy-Authorization", "TE=", "X-Base-Not-Executed", "X-Base-Forward=", "Connection=" })
        {
            Assert.DoesNotContain("\n" + dropped, answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_answer_arrives_as_the_leader_gave_it()
    {
        var (leader, follower) = await PairAsync(async context =>
        {
            var headers = context.Response.Headers;
            context.Response.StatusCode = 303;
            headers.Location = "/elsewhere";
            headers.SetCookie = new[] { "a=1; path=/", "b=2" };
            headers["X-App"] = "yes";
            headers["X-Base-Node"] = "leader";
            headers["X-Base-Epoch"] = "9";
            headers.ContentEncoding = "gzip";
            await context.Response.Body.WriteAsync(new byte[] { 1, 2, 3 });
        });
        await using var _ = leader;
        await using var __ = follower;
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, content: null);

        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        Assert.Equal("/elsewhere", answer.Header("Location"));
        Assert.Equal(["a=1; path=/", "b=2"], answer.Headers.GetValues("Set-Cookie"));
        Assert.Equal("yes", answer.Header("X-App"));
        Assert.Equal("1.1 follower", answer.Header("Via"));
        Assert.Null(answer.Header("X-Base-Node"));
        Assert.Null(answer.Header("X-Base-Epoch"));
        Assert.Equal(new byte[] { 1, 2, 3 }, await answer.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(204)]
    [InlineData(304)]
    [InlineData(503)]
    public async Task An_answer_without_a_body_arrives_once(int status)
    {
        var runs = 0;
        var (leader, follower) = await PairAsync(context =>
        {
            Interlocked.Increment(ref runs);
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        await using var _ = leader;
        await using var __ = follower;
        using var client = TestNode.Client();

        using var answer = await client.DeleteAsync(follower.Url + "/x");

        // A bare 503 is the application's word: nobody said that nothing was executed.
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task A_read_that_requires_the_leader_is_proxied_with_head_too()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.MapMethods("/fresh", ["GET", "HEAD"], () => "fresh").RequireLeader());
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = app => app.MapMethods("/fresh", ["GET", "HEAD"], () => "stale").RequireLeader(),
        });
        using var client = TestNode.Client();

        Assert.Equal("fresh", await client.GetStringAsync(follower.Url + "/fresh"));
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, follower.Url + "/fresh"));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
    }

    [Fact]
    public async Task A_chunked_body_of_unknown_length_arrives_chunked()
    {
        var (leader, follower) = await PairAsync(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            await context.Response.WriteAsync($"{context.Request.ContentLength}:{context.Request.Headers.TransferEncoding}:{await reader.ReadToEndAsync()}");
        });
        await using var _ = leader;
        await using var __ = follower;

        var answer = await RawConnection.AskAsync(
            follower.Port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");

        Assert.Contains(":chunked:abcde", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_answer_streams_before_it_is_complete()
    {
        var first = new TaskCompletionSource();
        var second = new TaskCompletionSource();
        var (leader, follower) = await PairAsync(async context =>
        {
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            await first.Task;
            await context.Response.WriteAsync("one");
            await context.Response.Body.FlushAsync();
            await second.Task;
            await context.Response.WriteAsync("two");
        });
        await using var _ = leader;
        await using var __ = follower;
        using var connection = await RawConnection.ConnectAsync(follower.Port);

        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        var head = await connection.ReceiveUntilAsync("\r\n\r\n");
        first.SetResult();
        await connection.ReceiveUntilAsync("one");
        second.SetResult();
        var all = await connection.ReceiveAllAsync();

        Assert.StartsWith("HTTP/1.1 200", head, StringComparison.Ordinal);
        Assert.EndsWith("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_leaders_size_limit_counts_and_not_the_followers()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            if (context.Request.Path == "/large")
            {
                context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
            }

            var buffer = new byte[64 * 1024];
            long length = 0;
            for (int read; (read = await context.Request.Body.ReadAsync(buffer)) > 0;)
            {
                length += read;
            }

            await context.Response.WriteAsync(length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();
        var size = 31 * 1024 * 1024;

        using var large = await client.PostAsync(follower.Url + "/large", new ByteArrayContent(new byte[size]));
        using var refused = await client.SendAsync(new HttpRequestMessage(HttpMethod.Post, follower.Url + "/small")
        {
            Content = new ByteArrayContent(new byte[size]),
            Headers = { ExpectContinue = true },
        });

        Assert.Equal($"{size}", await large.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.StatusCode);
    }

    [Fact]
    public async Task A_proxy_that_tells_nothing_names_no_node()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context => context.Response.WriteAsync("ok")));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            Options = o =>
            {
                o.PublicInfo = false;
                o.WriteHold = TimeSpan.Zero;
            },
        });
        var answer = await RawConnection.AskAsync(follower.Port, Post);
        leader.Leadership.LoseLeader();
        var refused = await RawConnection.AskAsync(follower.Port, Post);
        follower.Leadership.LoseLeader();
        var nobody = await RawConnection.AskAsync(follower.Port, Post);

        Assert.Contains("\r\nVia: 1.1 ha\r\n", answer, StringComparison.Ordinal);
        foreach (var text in new[] { answer, refused, nobody })
        {
            Assert.DoesNotContain("follower", text, StringComparison.Ordinal);
            Assert.DoesNotContain($"{leader.Port}", text, StringComparison.Ordinal);
            Assert.DoesNotContain("X-Base-", text, StringComparison.OrdinalIgnoreCase);
        }

        Assert.StartsWith("HTTP/1.1 503", refused, StringComparison.Ordinal);
    }

    private const string Post = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

    private static string Dechunk(string answer) => answer.Replace("\r\n\r\n" + HeadOfChunk(answer), "\r\n\r\n", StringComparison.Ordinal);

    private static string HeadOfChunk(string answer)
    {
        var body = answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        return answer.Contains("chunked", StringComparison.Ordinal) ? body[..(body.IndexOf("\r\n", StringComparison.Ordinal) + 2)] : "";
    }

    private static Task EchoTarget(HttpContext context) =>
        context.Response.WriteAsync($"[{context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget}]");

    private static Task EchoHeaders(HttpContext context)
    {
        var text = new StringBuilder("\n");
        foreach (var (name, values) in context.Request.Headers)
        {
            text.Append(name).Append('=').Append(values.ToString()).Append('\n');
        }

        return context.Response.WriteAsync(text.ToString());
    }

    private static async Task<(TestNode Leader, TestNode Follower)> PairAsync(RequestDelegate app)
    {
        var leader = await TestNode.LeaderAsync(web => web.Run(app));
        return (leader, await TestNode.ProxyAsync(leader.Url));
    }
}
