using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using Ha.Configuration;
using Ha.Endpoints;
using Ha.Hosting;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Configuration;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Hosting;

/// <summary><see cref="HaOptions.WarmUp"/>: what an application runs before its node may lead.</summary>
public sealed class WarmUpTests
{
    private static readonly (string Key, string? Value)[] _alone = [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "a")];

    [Fact]
    public async Task A_node_leads_once_its_hooks_have_ended_one_after_the_other()
    {
        var first = new TaskCompletionSource();
        var seen = new ConcurrentQueue<object>();
        await using var app = Alone(new FakeTimeProvider(), options =>
        {
            options.WarmUp += async (services, _) =>
            {
                seen.Enqueue(services.GetRequiredService<Scoped>());
                await first.Task;
            };
            options.WarmUp += (services, _) =>
            {
                seen.Enqueue(services.GetRequiredService<Scoped>());
                return Task.CompletedTask;
            };
        });
        await app.StartAsync();
        await Eventually.True(() => seen.Count == 1);
        Assert.False(Leads(app));
        Assert.False(IsReady(app));
        Assert.False(seen.OfType<Scoped>().Single().Disposed);

        first.SetResult();
        await Eventually.True(() => Leads(app));
        Assert.True(IsReady(app));
        Assert.Equal(2, seen.Distinct().Count());
        Assert.All(seen.OfType<Scoped>(), scoped => Assert.True(scoped.Disposed));
        Assert.Contains(Logs(app).Entries, entry => entry.Id == 1415);
    }

    [Fact]
    public async Task Without_a_hook_a_lone_node_leads_from_its_start()
    {
        await using var app = Alone(new FakeTimeProvider(), static _ => { });
        await app.StartAsync();
        Assert.True(Leads(app));
    }

    [Fact]
    public async Task A_lone_node_whose_hook_hangs_leads_after_ten_seconds()
    {
        var clock = new FakeTimeProvider();
        var told = new TaskCompletionSource();
        var began = new TaskCompletionSource();
        await using var app = Alone(clock, options => options.WarmUp = (_, stop) =>
        {
            stop.UnsafeRegister(_ => told.SetResult(), null);
            began.SetResult();
            return new TaskCompletionSource().Task;
        });
        await app.StartAsync();
        await began.Task;
        clock.Advance(ApplicationWarmUp.Patience - TimeSpan.FromMilliseconds(1));
        Assert.False(Leads(app));
        Assert.False(told.Task.IsCompleted);

        clock.Advance(TimeSpan.FromMilliseconds(1));
        await Eventually.True(() => Leads(app));
        await told.Task;
        var (level, _, text) = Assert.Single(Logs(app).Entries, entry => entry.Id == 1414);
        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains("10s", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hook_that_blocks_its_thread_holds_up_neither_the_start_nor_the_node()
    {
        var clock = new FakeTimeProvider();
        using var blocked = new SemaphoreSlim(0);
        using var began = new SemaphoreSlim(0);
        await using var app = Alone(clock, options => options.WarmUp = (_, _) =>
        {
            began.Release();
            blocked.Wait(CancellationToken.None);
            return Task.CompletedTask;
        });
        try
        {
            await Task.Run(() => app.StartAsync()).WaitAsync(TimeSpan.FromSeconds(30));
            await began.WaitAsync();
            clock.Advance(ApplicationWarmUp.Patience);
            await Eventually.True(() => Leads(app));
        }
        finally
        {
            blocked.Release();
        }
    }

    [Fact]
    public async Task A_hook_that_fails_is_logged_and_the_rest_runs()
    {
        var ran = false;
        await using var app = Alone(new FakeTimeProvider(), options =>
        {
            options.WarmUp += (_, _) => throw new InvalidOperationException("not here");
            options.WarmUp += (_, _) =>
            {
                ran = true;
                return Task.CompletedTask;
            };
        });
        await app.StartAsync();
        await Eventually.True(() => Leads(app));
        Assert.True(ran);
        Assert.Equal(LogLevel.Warning, Assert.Single(Logs(app).Entries, entry => entry.Id == 1413).Level);
    }

    [Fact]
    public async Task A_stop_ends_it_without_a_word()
    {
        var began = new TaskCompletionSource();
        var told = new TaskCompletionSource();
        await using var app = Alone(new FakeTimeProvider(), options => options.WarmUp = async (_, stop) =>
        {
            began.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            told.SetResult();
        });
        await app.StartAsync();
        await began.Task;
        await app.StopAsync();
        await told.Task;
        Assert.False(Leads(app));
        Assert.DoesNotContain(Logs(app).Entries, entry => entry.Id is 1413 or 1414);
    }

    [Fact]
    public async Task The_others_elect_while_one_warms_up_and_it_votes_serves_and_reaches_itself()
    {
        var enough = new TaskCompletionSource();
        var answers = new ConcurrentQueue<HttpStatusCode>();
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_FORWARD_MODE", "proxy"), ("BASE_PREEMPT", "never")], builder =>
        {
            if (builder.Configuration["BASE_NODE_ID"] == "a")
            {
                builder.Services.AddHa(options => options.WarmUp = async (_, stop) =>
                {
                    using var client = new HttpClient();
                    using var answer = await client.GetAsync(new Uri(options.LocalTarget + "/notes"), stop);
                    answers.Enqueue(answer.StatusCode);
                    await enough.Task;
                });
            }
        });
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("b");
        Assert.Equal([HttpStatusCode.OK], answers);

        // With c gone b keeps its lease by the vote of the one that warms up; through that one, too, a write gets to the leader.
        await cluster.Nodes[2].StopAsync();
        using var write = await cluster.Nodes[0].PostAsync("/notes");
        Assert.Equal(HttpStatusCode.Created, write.StatusCode);
        Assert.Equal("b", await write.Content.ReadFromJsonAsync<string>());

        // It does not take over before it is through.
        Assert.False(cluster.Nodes[0].App.Services.GetRequiredService<HaNode>().Control!.View().Members.Single(member => member.IsSelf).IsLeader);
        enough.SetResult();
        await Eventually.True(async () =>
        {
            ((ElectedLeader)cluster.Nodes[1].Provider).TryStepDown("a");
            return await Task.FromResult(cluster.Nodes[0].Provider.IsLeader);
        });
    }

    [Theory]
    [InlineData("BASE_STATIC_LEADER", "http://b:1")]
    [InlineData("BASE_PEERS", "http://b:1,http://c:1")]
    [InlineData("BASE_WITNESS", "true")]
    public async Task What_the_plugin_runs_first_at_a_failover_can_be_rehearsed(string key, string value)
    {
        await using var app = TestApp.Create(Settings.Cluster((key, value)));
        var services = app.Services;
        var run = Rehearsal.RunAsync(
            services.GetRequiredService<HaSettings>(), services.GetRequiredService<NodeTls>(), services.GetRequiredService<IOptions<KestrelServerOptions>>());
        Assert.Equal((200, 200), await run.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Where_nobody_is_elected_it_is_not_called()
    {
        var calls = 0;
        foreach (var variables in new[] { TestApp.Inactive, TestApp.FixedLeader })
        {
            await using var app = TestApp.Create(variables, builder => builder.Services.AddHa(options => options.WarmUp = (_, _) =>
            {
                calls++;
                return Task.CompletedTask;
            }));
            await app.StartAsync();
            Assert.True(Leads(app));
        }

        Assert.Equal(0, calls);
    }

    private static bool Leads(WebApplication app) => app.Services.GetRequiredService<HaNode>().Provider.IsLeader;

    private static bool IsReady(WebApplication app) =>
        ReadinessRule.Of(app.Services.GetRequiredService<HaNode>().Provider.Current, CancellationToken.None) == Readiness.Ready;

    private static RecordedLogs Logs(WebApplication app) => (RecordedLogs)app.Services.GetRequiredService<ILoggerFactory>();

    /// <summary>One node that elects itself, on a clock of its own.</summary>
    private static WebApplication Alone(TimeProvider clock, Action<HaOptions> configure) => TestApp.Create(_alone, builder =>
    {
        builder.Services.AddSingleton<ILoggerFactory>(new RecordedLogs());
        builder.Services.AddScoped<Scoped>();
        builder.Services.AddHa(configure);
        builder.Services.AddSingleton(services =>
        {
            var leader = new LuxLeader(new HaOptions { NodeId = "a", LocalTarget = "http://a:1" }, clock: clock);
            return new HaNode(services.GetRequiredService<HaSettings>(), leader, clock, election: leader);
        });
    });

    private sealed class Scoped : IDisposable
    {
        public bool Disposed { get; private set; }

        public void Dispose() => Disposed = true;
    }
}
