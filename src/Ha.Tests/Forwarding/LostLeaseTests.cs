using System.Net;
using Ha.Forwarding.Local;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Ha.Tests.Forwarding;

/// <summary>What a handler's exception says of its write when the lease is gone, however it is wrapped.</summary>
public sealed class LostLeaseTests
{
    private int _runs;

    [Theory]
    [InlineData("Production", false)]
    [InlineData("Production", true)]
    [InlineData("Development", false)]
    public async Task A_commit_that_is_cancelled_by_the_lost_lease_has_an_unknown_outcome(string environment, bool errorPageInside)
    {
        TestNode? node = null;
        await using var leader = node = await TestNode.LeaderAsync(
            app =>
            {
                if (errorPageInside)
                {
                    app.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("error page")));
                }

                app.Run(async context =>
                {
                    var lost = context.Features.GetRequiredFeature<IHaFeature>().LeaseLost;
                    node!.Leadership.LoseLeader();
                    await Task.Delay(Timeout.Infinite, lost);
                });
            },
            new TestNodeSetup { Environment = environment });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/x", new StringContent("x"));

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("outcome unknown", await answer.ErrorAsync());
    }

    [Fact]
    public async Task A_cancellation_under_a_lease_that_holds_is_the_applications_own()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(static _ => throw new OperationCanceledException()));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/x", new StringContent("x"));

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
    }

    public static TheoryData<Exception, Type?> Wrapped => new()
    {
        { new NotLeaderException(), typeof(NotLeaderException) },
        { new InvalidOperationException("save failed", new NotLeaderException()), typeof(NotLeaderException) },
        { new AggregateException(new NotLeaderException(), new InvalidOperationException("x", new NotLeaderException())), typeof(NotLeaderException) },
        { new AggregateException(new NotLeaderException(), new InvalidOperationException("the other part")), typeof(OutcomeUnknownException) },
        { new AggregateException(new NotLeaderException(), new OutcomeUnknownException()), typeof(OutcomeUnknownException) },
        { new OutcomeUnknownException(null, new NotLeaderException()), typeof(OutcomeUnknownException) },
        { new NotLeaderException(new OutcomeUnknownException()), typeof(NotLeaderException) },
        { new InvalidOperationException("x", new TimeoutException()), null },
        { new AggregateException(new InvalidOperationException("x")), null },
        { new OperationCanceledException(), null },
    };

    [Theory]
    [MemberData(nameof(Wrapped))]
    public void The_outermost_refusal_counts_and_one_part_does_not_speak_for_others(Exception thrown, Type? refusal) =>
        Assert.Equal(refusal, Refusal.In(thrown, new DefaultHttpContext())?.GetType());

    [Theory]
    [InlineData("Production")]
    [InlineData("Development")]
    public async Task A_wrapped_refusal_is_answered_like_a_bare_one(string environment)
    {
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(static _ => throw new InvalidOperationException("save failed", new NotLeaderException { LeaderUrl = "http://next" })),
            new TestNodeSetup { Environment = environment });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/x", new StringContent("x"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal("http://next/x", answer.Header("Location"));
    }

    [Fact]
    public async Task A_handler_that_always_refuses_runs_a_few_times_only_and_the_next_leader_gets_the_write()
    {
        await using var refusing = await TestNode.LeaderAsync(app => app.Run(_ =>
        {
            Interlocked.Increment(ref _runs);
            throw new NotLeaderException();
        }));
        await using var next = await TestNode.LeaderAsync(app => app.Run(context => context.Response.WriteAsync("next")));
        var clock = new ManualTime();
        await using var follower = await TestNode.ProxyAsync(refusing.Url, new TestNodeSetup
        {
            Clock = clock,
            Options = o => o.WriteHold = TimeSpan.FromMinutes(1),
        });
        using var client = TestNode.Client();
        var answer = client.PostAsync(follower.Url, new StringContent("x"));

        for (var tries = 1; tries <= 10; tries++)
        {
            await Eventually.True(() => follower.Hold.Held == 1);
            clock.Advance(TimeSpan.FromSeconds(1));
        }

        await Eventually.True(() => follower.Hold.Held == 1);
        Assert.InRange(_runs, 2, 4);
        follower.Leadership.Follow(next.Url, epoch: 2);
        Assert.Equal("next", await (await answer).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task An_exception_handler_that_was_registered_first_does_not_swallow_a_refusal()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IExceptionHandler, Swallowing>();
        ExceptionCatchers.Add(services);
        await using var leader = await TestNode.LeaderAsync(
            app =>
            {
                app.UseExceptionHandler(static _ => { });
                app.Run(static _ => throw new NotLeaderException { LeaderUrl = "http://next" });
            },
            new TestNodeSetup
            {
                Builder = builder =>
                {
                    builder.Services.RemoveAll<IExceptionHandler>();
                    foreach (var service in services.Where(service => service.ServiceType == typeof(IExceptionHandler)))
                    {
                        builder.Services.Add(service);
                    }
                },
            });
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/x", new StringContent("x"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
    }

    private sealed class Swallowing : IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
        {
            httpContext.Response.StatusCode = 500;
            await httpContext.Response.WriteAsync("swallowed", cancellationToken);
            return true;
        }
    }
}
