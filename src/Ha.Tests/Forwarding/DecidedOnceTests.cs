using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

/// <summary>A pipeline that runs a second time over a request, for an error page: the request itself is not decided again.</summary>
public sealed class DecidedOnceTests
{
    private static readonly Action<IApplicationBuilder> _exceptionPage = app => app.UseExceptionHandler("/error");
    private static readonly Action<IApplicationBuilder> _statusPage = app => app.UseStatusCodePagesWithReExecute("/error");

    private int _runs;
    private int _elsewhere;

    [Theory]
    [InlineData(true, true, ForwardMode.Redirect)]
    [InlineData(true, true, ForwardMode.Proxy)]
    [InlineData(true, false, ForwardMode.Redirect)]
    [InlineData(true, false, ForwardMode.Proxy)]
    [InlineData(false, true, ForwardMode.Redirect)]
    [InlineData(false, true, ForwardMode.Proxy)]
    [InlineData(false, false, ForwardMode.Redirect)]
    [InlineData(false, false, ForwardMode.Proxy)]
    public async Task A_write_that_failed_while_the_leader_changed_is_not_decided_again(bool throwing, bool next, ForwardMode mode)
    {
        await using var other = await OtherAsync();
        TestNode? node = null;
        await using var leader = node = await TestNode.LeaderAsync(
            app => Map(app, () => _ = next ? node!.Leadership.Follow(other.Url, epoch: 2) : node!.Leadership.LoseLeader(), throwing),
            Setup(throwing ? _exceptionPage : _statusPage, mode));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/write", new StringContent("x"));

        Assert.Equal("the error page", await answer.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Null(answer.Header("X-Base-Not-Executed"));
        Assert.Equal(1, _runs);
        Assert.Equal(0, _elsewhere);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_for_any_node_that_failed_here_does_not_run_on_the_leader(bool throwing)
    {
        await using var other = await OtherAsync();
        await using var follower = await TestNode.ProxyAsync(other.Url, Setup(throwing ? _exceptionPage : _statusPage, ForwardMode.Proxy) with
        {
            App = app => Map(app, static () => { }, throwing),
        });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url + "/any", new StringContent("x"));

        Assert.Equal("the error page", await answer.Content.ReadAsStringAsync());
        Assert.Equal(1, _runs);
        Assert.Equal(0, _elsewhere);
    }

    [Fact]
    public async Task A_forwarded_write_whose_answer_gets_an_error_page_is_not_sent_again()
    {
        await using var other = await TestNode.LeaderAsync(app => app.Run(context =>
        {
            Interlocked.Increment(ref _elsewhere);
            context.Response.StatusCode = 500;
            return context.Response.Body.FlushAsync();
        }));
        await using var follower = await TestNode.ProxyAsync(other.Url, Setup(_statusPage, ForwardMode.Proxy) with { App = app => Map(app, static () => { }, throwing: false) });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url + "/write", new StringContent("x"));

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal(0, _runs);
        Assert.Equal(1, _elsewhere);
    }

    [Fact]
    public async Task A_forwarded_write_whose_body_was_broken_gets_the_error_page_and_is_not_sent_again()
    {
        await using var other = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            Interlocked.Increment(ref _elsewhere);
            await context.Request.Body.CopyToAsync(Stream.Null);
        }));
        await using var follower = await TestNode.ProxyAsync(other.Url, Setup(_exceptionPage, ForwardMode.Proxy) with { App = app => Map(app, static () => { }, throwing: false) });

        var answer = await RawConnection.AskAsync(
            follower.Port, "POST /write HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n");

        Assert.Contains("the error page", answer, StringComparison.Ordinal);
        Assert.Equal(1, _elsewhere);
    }

    [Fact]
    public async Task An_error_page_that_refuses_says_nothing_about_the_write_before_it()
    {
        TestNode? node = null;
        await using var other = await OtherAsync();
        await using var leader = node = await TestNode.LeaderAsync(
            app =>
            {
                app.MapPost("/write", void () =>
                {
                    Interlocked.Increment(ref _runs);
                    node!.Leadership.Follow(other.Url, epoch: 2);
                    throw new InvalidOperationException("after the commit");
                });
                app.Map("/error", string () => throw new NotLeaderException { LeaderUrl = other.Url });
            },
            Setup(_exceptionPage, ForwardMode.Proxy));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/write", new StringContent("x"));

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("outcome unknown", await answer.ErrorAsync());
        Assert.Equal(0, _elsewhere);
    }

    [Theory]
    [InlineData(true, HttpStatusCode.OK, 2)]
    [InlineData(false, HttpStatusCode.BadGateway, 1)]
    public async Task A_middleware_that_tries_again_does_so_on_the_leader_only(bool staysLeader, HttpStatusCode status, int runs)
    {
        await using var other = await OtherAsync();
        TestNode? node = null;
        await using var leader = node = await TestNode.LeaderAsync(
            app => app.MapPost("/write", () =>
            {
                if (Interlocked.Increment(ref _runs) > 1)
                {
                    return "second time";
                }

                if (!staysLeader)
                {
                    node!.Leadership.Follow(other.Url, epoch: 2);
                }

                throw new InvalidOperationException("the first time");
            }),
            Setup(app => app.Use(TryTwiceAsync), ForwardMode.Proxy));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/write", new StringContent("x"));

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(runs, _runs);
        Assert.Equal(0, _elsewhere);
        Assert.Equal(staysLeader ? [] : [1209], leader.Logs.Entries.Select(static entry => entry.Id).Where(static id => id is >= 1200 and < 1300));
    }

    private static TestNodeSetup Setup(Action<IApplicationBuilder> before, ForwardMode mode) => new()
    {
        AfterRouting = true,
        Before = app => before(app),
        Options = o => o.ForwardMode = mode,
    };

    private static async Task TryTwiceAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (InvalidOperationException)
        {
            await next(context);
        }
    }

    private Task<TestNode> OtherAsync() => TestNode.LeaderAsync(app => app.Run(context =>
    {
        Interlocked.Increment(ref _elsewhere);
        return context.Response.WriteAsync("ran elsewhere");
    }));

    private void Map(WebApplication app, Action changeLeader, bool throwing)
    {
        foreach (var path in new[] { "/write", "/any" })
        {
            var endpoint = app.MapPost(path, void (HttpContext context) =>
            {
                Interlocked.Increment(ref _runs);
                changeLeader();
                context.Response.StatusCode = 500;
                if (throwing)
                {
                    throw new InvalidOperationException("after the commit");
                }
            });
            if (path == "/any")
            {
                endpoint.AllowOnAnyNode();
            }
        }

        app.Map("/error", () => "the error page");
    }
}
