using System.Net;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>
/// The application's time limit for a request cancels the same token as a client that leaves. The client is still there, and
/// has to hear the truth. Each test says when the time is up, once the request has come to where it is to be met; what measures
/// it in an application (<c>UseRequestTimeouts</c>) is among the <see cref="MiddlewareTrials"/>.
/// </summary>
public sealed class TimeLimitTests : IDisposable
{
    private readonly CancellationTokenSource _timeIsUp = new();

    public void Dispose() => _timeIsUp.Dispose();

    [Fact]
    public async Task A_held_write_that_runs_out_of_time_was_not_executed()
    {
        await using var follower = await TestNode.StartAsync(Limited());
        using var client = TestNode.Client();

        using var answer = await AnswerAsync(client.PostAsync(follower.Url + "/x", new StringContent("x")), () => follower.Hold.Held == 1);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("not executed", await answer.ErrorAsync());
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Equal(0, follower.Hold.Held);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_forwarded_write_that_runs_out_of_time_may_have_been_executed(bool honoursKeys)
    {
        var arrived = new TaskCompletionSource();
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            arrived.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url, Limited() with
        {
            App = app =>
            {
                var endpoint = app.MapPost("/x", () => "here");
                if (honoursKeys)
                {
                    endpoint.HonorsIdempotencyKey();
                }
            },
        });
        using var client = TestNode.Client();
        client.DefaultRequestHeaders.Add("Idempotency-Key", "k");

        using var answer = await AnswerAsync(client.PostAsync(follower.Url + "/x", new StringContent("x")), () => arrived.Task.IsCompleted);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("outcome unknown", await answer.ErrorAsync());
        Assert.Null(answer.Header("X-Base-Not-Executed"));
    }

    [Fact]
    public async Task A_write_that_waits_for_the_next_leader_when_its_time_is_up_was_not_executed()
    {
        await using var old = await TestNode.StartAsync(new TestNodeSetup { Id = "leader", Options = o => o.WriteHold = TimeSpan.Zero });
        await using var follower = await TestNode.ProxyAsync(old.Url, Limited());
        using var client = TestNode.Client();

        using var answer = await AnswerAsync(client.PostAsync(follower.Url + "/x", new StringContent("x")), () => follower.Hold.Held == 1);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
    }

    [Theory]
    [InlineData(false, "14")]
    [InlineData(true, "2")]
    public async Task A_grpc_call_that_runs_out_of_time_has_a_status(bool hasLeader, string status)
    {
        var arrived = new TaskCompletionSource();
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(context =>
            {
                arrived.SetResult();
                return Task.Delay(Timeout.Infinite, context.RequestAborted);
            }),
            new TestNodeSetup { Protocols = HttpProtocols.Http2 });
        await using var follower = await TestNode.ProxyAsync(leader.Url, Limited() with { Protocols = HttpProtocols.Http2 });
        if (!hasLeader)
        {
            follower.Leadership.LoseLeader();
        }

        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/pkg.Service/Call")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, 0, 0]) { Headers = { ContentType = new("application/grpc") } },
        };

        using var answer = await AnswerAsync(client.SendAsync(request), () => hasLeader ? arrived.Task.IsCompleted : follower.Hold.Held == 1);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(status, answer.Header("grpc-status"));
    }

    [Fact]
    public async Task An_answer_that_has_begun_when_its_time_is_up_is_broken_off()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            context.Response.ContentLength = 100;
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url, Limited());
        using var client = TestNode.Client();

        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/x") { Content = new StringContent("x") };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await _timeIsUp.CancelAsync();

        await Assert.ThrowsAsync<HttpRequestException>(() => answer.Content.ReadAsStringAsync());
    }

    private async Task<HttpResponseMessage> AnswerAsync(Task<HttpResponseMessage> answer, Func<bool> isThere)
    {
        await Eventually.True(isThere);
        await _timeIsUp.CancelAsync();
        return await answer;
    }

    private TestNodeSetup Limited() => new()
    {
        AfterRouting = true,
        Before = app => app.Use(async (context, next) =>
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _timeIsUp.Token);
            context.RequestAborted = limit.Token;
            await next(context);
        }),
        Options = o => o.WriteHold = TimeSpan.FromMinutes(1),
    };
}
