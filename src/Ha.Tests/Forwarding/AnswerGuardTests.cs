using System.Net;
using Ha.Leadership;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

/// <summary>After the commit, before the answer: check again.</summary>
public sealed class AnswerGuardTests
{
    [Theory]
    [InlineData("nothing")]
    [InlineData("json")]
    [InlineData("stream")]
    [InlineData("writer")]
    [InlineData("start")]
    [InlineData("file")]
    [InlineData("complete")]
    public async Task A_success_that_comes_after_the_lease_is_withheld(string answer)
    {
        using var response = await AnswerAsync(async (context, lose) =>
        {
            lose();
            await AnswerWithAsync(context, answer);
        });

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("outcome unknown", await response.ErrorAsync());
        Assert.Null(response.Header("X-App"));
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("json")]
    [InlineData("stream")]
    [InlineData("writer")]
    [InlineData("start")]
    [InlineData("file")]
    [InlineData("complete")]
    public async Task A_success_within_the_lease_leaves_untouched(string answer)
    {
        using var response = await AnswerAsync((context, _) => AnswerWithAsync(context, answer));

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("1", response.Header("X-App"));
    }

    [Fact]
    public async Task Each_request_of_one_connection_gets_a_guard_as_good_as_new()
    {
        TestNode? self = null;
        var ports = new HashSet<int>();
        await using var node = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            ports.Add(context.Connection.RemotePort);
            if (context.Request.Path.Value is "/late")
            {
                self!.Leadership.LoseLeader();
            }

            await AnswerWithAsync(context, "writer");
        }));
        self = node;
        using var client = TestNode.Client();
        foreach (var path in new[] { "/", "/late", "/", "/late", "/" })
        {
            node.Leadership.Lead();
            using var response = await client.PostAsync(node.Url + path, content: null);
            Assert.Equal(path is "/" ? HttpStatusCode.Created : HttpStatusCode.BadGateway, response.StatusCode);
            _ = await response.Content.ReadAsByteArrayAsync();
        }

        Assert.Single(ports);
    }

    [Fact]
    public async Task An_error_is_no_success_and_passes()
    {
        using var response = await AnswerAsync(async (context, lose) =>
        {
            lose();
            context.Response.StatusCode = 409;
            await context.Response.WriteAsync("conflict");
        });

        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        Assert.Equal("conflict", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/per-item", HttpStatusCode.MultiStatus, HttpStatusCode.MultiStatus)]
    [InlineData("/per-item", HttpStatusCode.OK, HttpStatusCode.BadGateway)]
    [InlineData("/per-item", (HttpStatusCode)208, HttpStatusCode.BadGateway)]
    [InlineData("/plain", HttpStatusCode.MultiStatus, HttpStatusCode.BadGateway)]
    public async Task A_207_passes_where_the_endpoint_says_that_it_answers_per_item(string path, HttpStatusCode status, HttpStatusCode expected)
    {
        TestNode? self = null;
        await using var node = self = await TestNode.LeaderAsync(
            app =>
            {
                app.MapPost("/per-item", AnswerItemsAsync).AnswersPerItem();
                app.MapPost("/plain", AnswerItemsAsync);
            },
            new TestNodeSetup { AfterRouting = true });
        using var client = TestNode.Client();

        using var response = await client.PostAsync(node.Url + path, content: null);

        Assert.Equal(expected, response.StatusCode);

        Task AnswerItemsAsync(HttpContext context)
        {
            self!.Leadership.LoseLeader();
            context.Response.StatusCode = (int)status;
            return context.Response.WriteAsync("[]");
        }
    }

    [Fact]
    public async Task A_withheld_answer_is_reported_once_and_not_as_the_handlers_doubt()
    {
        TestNode? self = null;
        await using var node = self = await TestNode.LeaderAsync(app => app.Run(context =>
        {
            self!.Leadership.LoseLeader();
            return context.Response.WriteAsync("done");
        }));
        using var client = TestNode.Client();

        using var response = await client.PostAsync(node.Url, content: null);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal([1204], node.Logs.Entries.Select(static entry => entry.Id).Where(static id => id is >= 1200 and < 1300));
    }

    [Fact]
    public async Task A_handler_that_catches_everything_cannot_answer_instead()
    {
        using var response = await AnswerAsync(async (context, lose) =>
        {
            lose();
            try
            {
                await context.Response.WriteAsync("done");
            }
            catch (Exception)
            {
                context.Response.StatusCode = 500;
                await context.Response.WriteAsync("sorry");
            }
        });

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
    }

    [Fact]
    public async Task A_handler_that_swallows_it_does_not_get_its_answer_through()
    {
        using var response = await AnswerAsync(async (context, lose) =>
        {
            lose();
            try
            {
                await context.Response.WriteAsync("done");
            }
            catch (OutcomeUnknownException)
            {
            }
        });

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
    }

    [Fact]
    public async Task A_stream_that_began_within_the_lease_goes_on()
    {
        using var response = await AnswerAsync(async (context, lose) =>
        {
            await context.Response.WriteAsync("one ");
            await context.Response.Body.FlushAsync();
            lose();
            await context.Response.WriteAsync("two");
        });

        Assert.Equal("one two", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Bytes_that_cannot_be_taken_back_break_the_connection()
    {
        var failure = await Record.ExceptionAsync(() => AnswerAsync((context, lose) =>
        {
            context.Response.BodyWriter.GetSpan(1)[0] = (byte)'x';
            context.Response.BodyWriter.Advance(1);
            lose();
            return Task.CompletedTask;
        }));

        Assert.IsType<HttpRequestException>(failure);
    }

    [Fact]
    public async Task An_event_stream_stops_counting_once_it_has_begun()
    {
        var counted = new TaskCompletionSource<(long Before, long After)>();
        TestNode? self = null;
        await using var node = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            var before = self!.Gate.Inside;
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            counted.SetResult((before, self.Gate.Inside));
        }));
        self = node;
        using var client = TestNode.Client();

        using var response = await client.PostAsync(node.Url, content: null);

        Assert.Equal((1, 0), await counted.Task);
        Assert.Equal(0, node.Gate.Inside);
    }

    [Fact]
    public async Task A_handover_that_waited_for_the_write_does_not_spoil_its_answer()
    {
        TestNode? self = null;
        await using var node = await TestNode.LeaderAsync(app => app.Run(context =>
        {
            // What a drain does: release as soon as the last writer has left.
            _ = self!.Gate.WhenEmptyAsync().ContinueWith(
                _ => self.Leadership.LoseLeader(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        }));
        self = node;
        using var client = TestNode.Client();

        using var response = await client.PostAsync(node.Url, content: null);

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    [Theory]
    [InlineData(100, 15)]
    [InlineData(300, 15)]
    [InlineData(1500, 75)]
    public void The_commit_guard_is_a_twentieth_of_the_lease_and_at_least_15_ms(int leaseMilliseconds, int expectedMilliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(expectedMilliseconds), WritePermit.CommitGuard(TimeSpan.FromMilliseconds(leaseMilliseconds)));

    [Fact]
    public void A_commit_needs_the_same_unbroken_leadership_and_time_enough()
    {
        var time = new ManualTime();
        using var leadership = new FakeLeadership("me", time).Lead(epoch: 1, lease: TimeSpan.FromSeconds(1));
        var run = new WritePermit(leadership, leadership.Current, TimeSpan.FromMilliseconds(75));

        time.Advance(TimeSpan.FromMilliseconds(924));
        run.EnsureStillLeader();
        leadership.Drain();
        run.EnsureStillLeader();

        leadership.Lead(epoch: 1, lease: TimeSpan.FromSeconds(1));
        Assert.Throws<NotLeaderException>(run.EnsureStillLeader);
        Assert.True(run.LeaseLost.IsCancellationRequested);
    }

    [Fact]
    public void A_commit_is_refused_within_the_guard_and_after_it()
    {
        var time = new ManualTime();
        using var leadership = new FakeLeadership("me", time).Lead(epoch: 1, lease: TimeSpan.FromSeconds(1));
        var run = new WritePermit(leadership, leadership.Current, TimeSpan.FromMilliseconds(75));

        time.Advance(TimeSpan.FromMilliseconds(930));
        Assert.Throws<NotLeaderException>(run.EnsureStillLeader);
        Assert.True(run.StillLeads());

        time.Advance(TimeSpan.FromMilliseconds(80));
        Assert.False(run.StillLeads());
    }

    [Fact]
    public void A_refused_commit_names_the_new_leader()
    {
        using var leadership = new FakeLeadership("me").Lead();
        var run = new WritePermit(leadership, leadership.Current, TimeSpan.Zero);
        leadership.Follow("http://inside", epoch: 7, publicUrl: "https://next");

        var refusal = Assert.Throws<NotLeaderException>(run.EnsureStillLeader);

        Assert.Equal(("https://next", 7), (refusal.LeaderUrl, refusal.Epoch));
    }

    private static async Task AnswerWithAsync(HttpContext context, string answer)
    {
        var response = context.Response;
        response.StatusCode = StatusCodes.Status201Created;
        response.Headers["X-App"] = "1";
        switch (answer)
        {
            case "json":
                await response.WriteAsJsonAsync(new { done = true });
                break;
            case "stream":
                await response.Body.WriteAsync(new byte[10]);
                break;
            case "writer":
                response.BodyWriter.GetSpan(10)[..10].Clear();
                response.BodyWriter.Advance(10);
                await response.BodyWriter.FlushAsync();
                break;
            case "start":
                await response.StartAsync();
                break;
            case "file":
                await response.SendFileAsync(typeof(AnswerGuardTests).Assembly.Location);
                break;
            case "complete":
                await response.CompleteAsync();
                break;
            default:
                break;
        }
    }

    private static async Task<HttpResponseMessage> AnswerAsync(Func<HttpContext, Action, Task> handler)
    {
        TestNode? self = null;
        await using var node = await TestNode.LeaderAsync(app => app.Run(context => handler(context, () => self!.Leadership.LoseLeader())));
        self = node;
        using var client = TestNode.Client();
        return await client.PostAsync(node.Url, content: null);
    }
}
