using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Ha.Tests.Forwarding;

/// <summary>Writes on the leader: the token they get, the gate they count in, and what becomes of a refusal.</summary>
public sealed class LeaderRunTests
{
    public static TheoryData<string, bool> Stages => new()
    {
        { Environments.Production, false },
        { Environments.Production, true },
        { Environments.Development, false },
        { Environments.Development, true },
    };

    [Fact]
    public async Task A_handler_gets_its_token_and_counts_while_it_runs()
    {
        var inside = new TaskCompletionSource<(long Epoch, bool Lost)>();
        var go = new TaskCompletionSource();
        await using var node = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            var feature = context.Features.GetRequiredFeature<IHaFeature>();
            feature.EnsureStillLeader();
            inside.SetResult((feature.Epoch, feature.LeaseLost.IsCancellationRequested));
            await go.Task;
        }));
        node.Leadership.Lead(epoch: 41);
        using var client = TestNode.Client();

        var answer = client.PostAsync(node.Url, content: null);

        Assert.Equal((41, false), await inside.Task);
        Assert.Equal(1, node.Gate.Inside);
        go.SetResult();
        Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
        Assert.Equal(0, node.Gate.Inside);
    }

    [Fact]
    public async Task A_failing_handler_leaves_the_gate_and_keeps_its_500()
    {
        await using var node = await TestNode.LeaderAsync(app => app.Run(_ => throw new InvalidOperationException("bug")));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url, content: null);

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal(0, node.Gate.Inside);
    }

    [Fact]
    public async Task Reads_do_not_count_and_get_no_token()
    {
        await using var node = await TestNode.LeaderAsync(app => app.Run(context =>
            context.Response.WriteAsync($"{context.Features.Get<IHaFeature>() is null}")));
        using var client = TestNode.Client();

        Assert.Equal("True", await client.GetStringAsync(node.Url));
    }

    [Theory]
    [MemberData(nameof(Stages))]
    public async Task A_refusal_from_deep_inside_becomes_a_redirect(string environment, bool afterRouting)
    {
        TestNode? self = null;
        await using var node = await LeadingAsync(new TestNodeSetup
        {
            Environment = environment,
            AfterRouting = afterRouting,
            App = app => app.MapPost("/x", async (HttpContext context) =>
            {
                await Task.Yield();
                self!.Leadership.Follow("http://next", epoch: 2);
                context.Features.GetRequiredFeature<IHaFeature>().EnsureStillLeader();
            }),
        });
        self = node;
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url + "/x?y", new StringContent("body"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal("http://next/x?y", answer.Header("Location"));
        Assert.Equal(0, node.Gate.Inside);
    }

    [Theory]
    [MemberData(nameof(Stages))]
    public async Task A_refusal_to_another_node_says_that_nothing_was_executed(string environment, bool afterRouting)
    {
        await using var node = await ThrowingAsync(new NotLeaderException(), environment, afterRouting);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, node.Url + "/x") { Headers = { { "X-Base-Forwarded-By", "other" } } };

        using var answer = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Equal("not leader", await answer.ErrorAsync());
    }

    [Theory]
    [MemberData(nameof(Stages))]
    public async Task An_unknown_outcome_becomes_502(string environment, bool afterRouting)
    {
        await using var node = await ThrowingAsync(new OutcomeUnknownException("secret detail"), environment, afterRouting);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url + "/x", content: null);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Null(answer.Header("X-Base-Not-Executed"));
        Assert.Null(answer.Header("Retry-After"));
        Assert.Equal("outcome unknown", await answer.ErrorAsync());
        Assert.DoesNotContain("secret", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains(node.Logs.Entries, static entry => entry.Id == 1205);
    }

    [Fact]
    public async Task The_leader_that_the_handler_names_is_where_the_client_is_sent()
    {
        await using var node = await ThrowingAsync(new NotLeaderException { LeaderUrl = "http://OTHER.example:80/" }, Environments.Production, afterRouting: false);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url + "/x", content: null);

        Assert.Equal("http://other.example/x", answer.Header("Location"));
    }

    [Fact]
    public async Task A_refusal_in_proxy_mode_after_the_body_was_read_is_503()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            Options = o => o.ForwardMode = ForwardMode.Proxy,
            App = app => app.Run(async context =>
            {
                await context.Request.Body.CopyToAsync(Stream.Null);
                throw new NotLeaderException { LeaderUrl = "http://next" };
            }),
        });
        node.Leadership.Lead();
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(node.Url, new StringContent("body"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
    }

    [Fact]
    public async Task A_refusal_in_proxy_mode_without_a_body_is_forwarded()
    {
        await using var next = await TestNode.LeaderAsync(app => app.Run(context => context.Response.WriteAsync("next")));
        TestNode? self = null;
        await using var node = await LeadingAsync(new TestNodeSetup
        {
            Options = o => o.ForwardMode = ForwardMode.Proxy,
            App = app => app.Run(_ =>
            {
                self!.Leadership.Follow(next.Url, epoch: 2);
                throw new NotLeaderException();
            }),
        });
        self = node;
        using var client = TestNode.Client();

        using var answer = await client.DeleteAsync(node.Url + "/x");

        Assert.Equal("next", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_read_may_refuse_too()
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            App = app => app.MapGet("/x", void () => throw new NotLeaderException()),
        });
        node.Leadership.Follow("http://leader");
        using var client = TestNode.Client();

        using var answer = await client.GetAsync(node.Url + "/x");

        Assert.Equal("http://leader/x", answer.Header("Location"));
    }

    [Fact]
    public async Task After_the_answer_has_begun_the_connection_is_aborted()
    {
        var seen = new TaskCompletionSource();
        await using var node = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            await context.Response.WriteAsync("half");
            await seen.Task;
            throw new NotLeaderException();
        }));
        using var connection = await RawConnection.ConnectAsync(node.Port);
        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        await connection.ReceiveUntilAsync("half");

        seen.SetResult();
        var answer = await connection.ReceiveAllAsync();

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("\r\n0\r\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_applications_own_exception_handlers_do_not_swallow_it(bool afterRouting)
    {
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            AfterRouting = afterRouting,
            Builder = builder => builder.Services.AddControllers(mvc => mvc.Filters.Add(new SwallowEverything())).AddApplicationPart(typeof(RefusingController).Assembly),
            App = app =>
            {
                app.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("swallowed")));
                app.MapControllers();
                app.MapPost("/minimal", void () => throw new NotLeaderException { LeaderUrl = "http://next" });
            },
        });
        node.Leadership.Lead();
        using var client = TestNode.Client();

        using var controller = await client.PostAsync(node.Url + "/refusing", content: null);
        using var minimal = await client.PostAsync(node.Url + "/minimal", content: null);

        Assert.Equal("http://next/refusing", controller.Header("Location"));
        Assert.Equal("http://next/minimal", minimal.Header("Location"));
    }

    [Fact]
    public void A_batch_endpoint_can_say_the_same_per_item()
    {
        var refusal = new NotLeaderException { LeaderUrl = "http://next", Epoch = 7 }.ToProblemDetails();
        var unknown = new OutcomeUnknownException().ToProblemDetails();

        Assert.Equal(503, refusal.Status);
        Assert.Equal("not leader", refusal.Extensions["error"]);
        Assert.Equal("http://next", refusal.Extensions["leader"]);
        Assert.Equal(7L, refusal.Extensions["epoch"]);
        Assert.Equal(true, refusal.Extensions["leader_known"]);
        Assert.Equal(502, unknown.Status);
        Assert.Equal("outcome unknown", unknown.Extensions["error"]);
    }

    [Theory]
    [InlineData("The fence has seen a later epoch.")]
    [InlineData("")]
    [InlineData("next:8080")]
    [InlineData("ftp://next")]
    [InlineData("http://next/notes")]
    [InlineData(null)]
    public void A_refusal_takes_nothing_but_a_URL_for_the_leaders_and_is_one_all_the_same(string? text)
    {
        var refusal = new NotLeaderException { LeaderUrl = text };

        Assert.Null(refusal.LeaderUrl);
        Assert.Equal("This node is not the leader and knows of none; nothing was committed.", refusal.Message);
    }

    [Fact]
    public void A_refusal_says_who_leads()
    {
        Assert.Equal(
            "This node is not the leader, http://next is; nothing was committed.",
            new NotLeaderException { LeaderUrl = "http://NEXT:80" }.Message);
        Assert.Equal("This node is not the leader and knows of none; nothing was committed.", new NotLeaderException(new TimeoutException()).Message);
    }

    private static Task<TestNode> ThrowingAsync(Exception refusal, string environment, bool afterRouting) => LeadingAsync(new TestNodeSetup
    {
        Environment = environment,
        AfterRouting = afterRouting,
        App = app => app.MapPost("/x", async Task () =>
        {
            await Task.Yield();
            throw refusal;
        }),
    });

    private static async Task<TestNode> LeadingAsync(TestNodeSetup setup)
    {
        var node = await TestNode.StartAsync(setup);
        node.Leadership.Lead();
        return node;
    }

    private sealed class SwallowEverything : IExceptionFilter
    {
        public void OnException(ExceptionContext context)
        {
            context.Result = new ContentResult { Content = "swallowed", StatusCode = 500 };
            context.ExceptionHandled = true;
        }
    }
}
