using System.Net;
using System.Threading.Channels;
using Ha.Tests.Forwarding;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Tests.Hosting;

/// <summary>Which code sees a leadership around it, and which does not.</summary>
public sealed class LeaderScopeTests
{
    [Theory]
    [InlineData("POST", "/write", true)]
    [InlineData("GET", "/required", true)]
    [InlineData("GET", "/read", false)]
    [InlineData("POST", "/any", false)]
    [InlineData("POST", "/before", false)]
    [InlineData("POST", "/fails", false)]
    public async Task A_request_sees_what_it_was_admitted_under(string method, string path, bool there)
    {
        var seen = new List<(IHaFeature? Scope, IHaFeature? Feature)>();
        Task See(HttpContext context)
        {
            seen.Add((LeaderScope.Current, context.Features.Get<IHaFeature>()));
            return Task.CompletedTask;
        }

        await using var node = await TestNode.LeaderAsync(
            app =>
            {
                app.MapPost("/write", See);
                app.MapGet("/read", See);
                app.MapGet("/required", See).RequireLeader();
                app.MapPost("/any", See).AllowOnAnyNode();
                app.MapPost("/fails", string () => throw new InvalidOperationException("failed on purpose"));
                app.Map("/error", See);
            },
            new TestNodeSetup
            {
                AfterRouting = true,
                Before = app =>
                {
                    app.UseExceptionHandler("/error");
                    app.Use((context, next) => context.Request.Path == "/before" ? See(context) : next(context));
                },
            });
        await SendAsync(node, method, path);

        var (scope, feature) = Assert.Single(seen);
        Assert.Equal(there ? 1 : null, scope?.Epoch);
        if (path is not "/fails")
        {
            Assert.Same(feature, scope);
        }
    }

    [Fact]
    public async Task A_follower_has_none()
    {
        IHaFeature? seen = new LostLease();
        await using var node = await TestNode.StartAsync(new TestNodeSetup
        {
            App = app => app.MapGet("/", () => seen = LeaderScope.Current),
        });
        node.Leadership.Follow("http://elsewhere:1");
        await SendAsync(node, "GET", "/");
        Assert.Null(seen);
    }

    [Fact]
    public async Task It_goes_where_the_handlers_calls_go()
    {
        var seen = new List<IHaFeature?>();
        await using var node = await TestNode.LeaderAsync(app => app.MapPost("/", async () =>
        {
            await Task.Yield();
            seen.Add(LeaderScope.Current);
            seen.Add(await Task.Run(() => LeaderScope.Current));
            var thread = new Thread(() => seen.Add(LeaderScope.Current));
            thread.Start();
            thread.Join();
        }));
        await SendAsync(node, "POST", "/");
        Assert.Equal(3, seen.Count);
        Assert.NotNull(seen[0]);
        Assert.All(seen, one => Assert.Same(seen[0], one));
    }

    [Theory]
    [InlineData("answers at once")]
    [InlineData("throws at once")]
    [InlineData("waits")]
    public async Task Nothing_of_it_is_left_for_who_called_the_middleware_or_for_the_next_request(string handler)
    {
        var outside = new List<(string When, string Connection, IHaFeature? Seen)>();
        await using var node = await TestNode.LeaderAsync(
            app => app.Run(async context =>
            {
                if (HttpMethods.IsGet(context.Request.Method))
                {
                    return;
                }

                Assert.NotNull(LeaderScope.Current);
                if (handler is "throws at once")
                {
                    throw new NotLeaderException();
                }

                if (handler is "waits")
                {
                    await Task.Yield();
                }
            }),
            new TestNodeSetup
            {
                Options = options => options.WriteHold = TimeSpan.Zero,
                AfterRouting = true,
                Before = app => app.Use((context, next) =>
                {
                    outside.Add(("before", context.Connection.Id, LeaderScope.Current));
                    var running = next(context);
                    outside.Add(("after", context.Connection.Id, LeaderScope.Current));
                    return running;
                }),
            });
        using var connection = await RawConnection.ConnectAsync(node.Port);
        await connection.SendAsync(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        await connection.ReceiveAllAsync();

        Assert.Equal(6, outside.Count);
        Assert.Single(outside.Select(one => one.Connection).Distinct(StringComparer.Ordinal));
        Assert.All(outside, one => Assert.Null(one.Seen));
    }

    [Fact]
    public async Task Work_that_outlives_its_request_is_refused_once_the_leadership_has_ended()
    {
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<IHaFeature?>? outliving = null;
        await using var node = await TestNode.LeaderAsync(app => app.MapPost("/", () =>
        {
            outliving = Task.Run(async () =>
            {
                await goOn.Task;
                return LeaderScope.Current;
            });
        }));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(node, "POST", "/"));
        goOn.SetResult();
        var scope = (await outliving!)!;
        scope.EnsureStillLeader();

        node.Leadership.LoseLeader();
        Assert.Throws<NotLeaderException>(scope.EnsureStillLeader);
        node.Leadership.Lead(epoch: 2);
        Assert.Throws<NotLeaderException>(scope.EnsureStillLeader);
        Assert.Equal(1, scope.Epoch);
    }

    [Fact]
    public async Task A_leaders_job_runs_under_its_leadership()
    {
        using var leader = new TestLeader();
        var seen = Channel.CreateUnbounded<IHaFeature?>();
        using var job = new LeaderBackgroundServiceTests.Job(leader, NullLogger.Instance, new InstantClock())
        {
            Work = async run =>
            {
                seen.Writer.TryWrite(LeaderScope.Current);
                await Task.Delay(Timeout.Infinite, run.Token);
            },
        };
        leader.Lead(7);
        await job.StartAsync(default);
        var first = (await seen.Reader.ReadAsync())!;
        Assert.Equal((7, first.LeaseLost), (first.Epoch, leader.Current.LeaseLost));
        first.EnsureStillLeader();
        Assert.Null(LeaderScope.Current);

        leader.Lead(8);
        var second = (await seen.Reader.ReadAsync())!;
        Assert.Equal(8, second.Epoch);
        second.EnsureStillLeader();
        Assert.Throws<NotLeaderException>(first.EnsureStillLeader);
        await job.StopAsync(default);
    }

    [Fact]
    public void Without_a_scope_the_nodes_own_leadership_counts()
    {
        var time = new ManualTime();
        using var leader = new FakeLeadership("a", time);
        Assert.Throws<NotLeaderException>(() => LeaderScope.For(leader));
        leader.Follow("http://elsewhere:1");
        Assert.Equal("http://elsewhere:1", Assert.Throws<NotLeaderException>(() => LeaderScope.For(leader)).LeaderUrl);
        leader.Lead(3, admits: false);
        Assert.Throws<NotLeaderException>(() => LeaderScope.For(leader));

        leader.Lead(4, lease: TimeSpan.FromSeconds(1));
        var leadership = LeaderScope.For(leader);
        leadership.EnsureStillLeader();
        Assert.Equal((4, null), (leadership.Epoch, LeaderScope.Current));

        // 10 ms of the lease are too few to commit in.
        time.Advance(TimeSpan.FromMilliseconds(990));
        Assert.True(leader.IsLeader);
        Assert.Throws<NotLeaderException>(leadership.EnsureStillLeader);
    }

    [Fact]
    public void Scopes_nest_and_the_inner_one_counts()
    {
        using var leader = new FakeLeadership("a").Lead(5);
        IHaFeature outer = new LostLease(), inner = new LostLease();
        using (LeaderScope.Enter(outer))
        {
            using (LeaderScope.Enter(inner))
            {
                Assert.Same(inner, LeaderScope.Current);
                Assert.Same(inner, LeaderScope.For(leader));
            }

            Assert.Same(outer, LeaderScope.Current);
        }

        Assert.Null(LeaderScope.Current);
        Assert.Throws<ArgumentNullException>(() => LeaderScope.Enter(null!));
    }

    private static async Task<HttpStatusCode> SendAsync(TestNode node, string method, string path)
    {
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), node.Url + path);
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }

    private sealed class LostLease : IHaFeature
    {
        public long Epoch => 1;

        public CancellationToken LeaseLost => new(canceled: true);

        public void EnsureStillLeader() => throw new NotLeaderException();
    }
}
