using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Ha.Configuration;
using Ha.Testing;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Ha.Tests.Hosting;

/// <summary>Pauses and health checks that keep a node from leading: real hosts, real sockets, signed heartbeats.</summary>
public class StandingTests
{
    private const string Token = "a-token-for-the-tests";
    private static readonly (string Key, string? Value)[] _proxy = [("BASE_FORWARD_MODE", "proxy"), ("BASE_ADMIN_TOKEN", Token)];

    [Fact]
    public async Task A_leader_is_paused_under_writes_of_which_none_fails_and_resumed()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], _proxy);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        using var enough = new CancellationTokenSource();
        var statuses = new ConcurrentQueue<HttpStatusCode>();
        var writers = cluster.Nodes.Select(node => WriteAsync(node, statuses, enough.Token)).ToArray();
        await Eventually.True(() => statuses.Count > 20);

        Assert.Equal((HttpStatusCode.Accepted, """{"paused":true,"successor":"b"}"""), await PostAsync(cluster.Nodes[0], "/_ha/pause"));
        await cluster.HasLeaderAsync("b");
        Assert.Equal((HttpStatusCode.Accepted, """{"paused":true,"successor":"b"}"""), await PostAsync(cluster.Nodes[0], "/_ha/pause"));
        using var ready = await cluster.Nodes[0].GetAsync("/_ha/healthz/ready");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        await Eventually.True(async () => (await PausedAsync(cluster.Nodes[2])).SequenceEqual(["a"]));
        Assert.Equal(["a"], await PausedAsync(cluster.Nodes[0]));
        Assert.Contains("This node is paused: it follows and forwards", await PageAsync(cluster.Nodes[0]), StringComparison.Ordinal);

        // Nobody but c could lead now, and it would: a step-down does not go to the lowest.
        Assert.Equal((HttpStatusCode.Accepted, """{"successor":"c"}"""), await PostAsync(cluster.Nodes[1], "/_ha/step-down"));
        await cluster.HasLeaderAsync("c");
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(cluster.Nodes[1], "/_ha/pause")).Status);
        await Eventually.True(async () => (await PausedAsync(cluster.Nodes[2])).SequenceEqual(["a", "b"]));
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(cluster.Nodes[2], "/_ha/pause")).Status);

        Assert.Equal((HttpStatusCode.Accepted, """{"paused":false,"successor":"c"}"""), await PostAsync(cluster.Nodes[0], "/_ha/resume"));
        await Eventually.True(async () => (await PausedAsync(cluster.Nodes[2])).SequenceEqual(["b"]));
        Assert.Equal((HttpStatusCode.Accepted, """{"successor":"a"}"""), await PostAsync(cluster.Nodes[2], "/_ha/step-down"));
        await cluster.HasLeaderAsync("a");

        await enough.CancelAsync();
        await Task.WhenAll(writers);
        Assert.All(statuses, status => Assert.Equal(HttpStatusCode.Created, status));
    }

    [Fact]
    public async Task A_leader_whose_database_is_gone_hands_over_to_one_that_reaches_it()
    {
        var ill = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        await using var cluster = new KestrelCluster(["a", "b", "c"], build: builder => WithHealth(builder, ill));
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");

        ill["a"] = true;
        await cluster.HasLeaderAsync("b");
        await Eventually.True(async () => (await UnhealthyAsync(cluster.Nodes[1])).SequenceEqual(["a"]));

        // All the same everywhere: who leads goes on.
        (ill["b"], ill["c"]) = (true, true);
        await Eventually.True(async () => (await UnhealthyAsync(cluster.Nodes[1])).SequenceEqual(["a", "b", "c"]));
        Assert.Equal("b", cluster.Leader.Id);

        ill["c"] = false;
        await cluster.HasLeaderAsync("c");
    }

    [Fact]
    public async Task A_leader_that_is_paused_takes_writes_again_when_nobody_is_left_to_take_over()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], [.. _proxy, ("BASE_DRAIN_TIMEOUT", "25s")]);
        var (a, b, c) = (cluster.Nodes[0], cluster.Nodes[1], cluster.Nodes[2]);
        var (began, end) = (NewSource(), NewSource());
        a.App.MapPost("/slow", async () =>
        {
            began.SetResult();
            await end.Task;
        });
        try
        {
            await cluster.StartAsync();
            await cluster.HasLeaderAsync("a");
            Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(c, "/_ha/pause")).Status);
            await Eventually.True(async () => (await PausedAsync(a)).SequenceEqual(["c"]));
            var slow = a.PostAsync("/slow");
            await began.Task;

            Assert.Equal((HttpStatusCode.Accepted, """{"paused":true,"successor":"b"}"""), await PostAsync(a, "/_ha/pause"));
            await Eventually.True(() => !a.Provider.Current.AdmitsWrites);
            Assert.Equal((HttpStatusCode.Accepted, """{"paused":true,"successor":"a"}"""), await PostAsync(b, "/_ha/pause"));
            using var written = await b.PostAsync("/notes");
            Assert.Equal((HttpStatusCode.Created, "\"a\""), (written.StatusCode, await written.Content.ReadAsStringAsync()));

            Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(c, "/_ha/resume")).Status);
            await Eventually.True(() => !a.Provider.Current.AdmitsWrites);
            end.SetResult();
            using var answer = await slow;
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            await cluster.HasLeaderAsync("c");
        }
        finally
        {
            end.TrySetResult();
        }
    }

    [Fact]
    public async Task Over_a_lease_store_leadership_follows_health_too()
    {
        await using var store = new InMemoryLeaseStore();
        var ill = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        await using var a = OverStore("a", store, ill);
        await using var b = OverStore("b", store, ill);
        var (first, second) = (a.Services.GetRequiredService<ILeaderProvider>(), b.Services.GetRequiredService<ILeaderProvider>());
        await a.StartAsync();
        await Eventually.True(() => first.IsLeader);
        await b.StartAsync();
        await Eventually.True(() => first.Control!.View().Members.Any(member => member is { NodeId: "b", Up: true }));

        ill["a"] = true;
        await Eventually.True(() => second.IsLeader);
        ill["b"] = true;
        await Eventually.True(() => second.Control!.View().Members.Any(member => member is { NodeId: "b", Unhealthy: true }));
        Assert.True(second.IsLeader);
        ill["a"] = false;
        await Eventually.True(() => first.IsLeader);
    }

    [Fact]
    public async Task A_node_that_starts_in_trouble_does_not_lead_before_it_is_over()
    {
        var ill = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal) { ["a"] = true };
        await using var cluster = new KestrelCluster(["a", "b", "c"], build: builder => WithHealth(builder, ill));
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("b");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_provider_may_lead_once_there_is_a_first_result(bool asksForHealth)
    {
        using var logs = new RecordedLogs();
        using var control = new RecordedControl(asksForHealth);
        var result = new TaskCompletionSource<HealthCheckResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var checkedOnce = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = TestApp.Create([], builder =>
        {
            builder.Services.AddSingleton<ILoggerFactory>(logs);
            builder.Services.AddSingleton<ILeaderProvider>(control);
            builder.Services.AddHealthChecks().AddAsyncCheck("database", () =>
            {
                checkedOnce.TrySetResult();
                return result.Task;
            }, tags: ["db"]);
            builder.Services.AddHa(options => options.StandsWhile("db", TimeSpan.FromMinutes(1)));
        });
        await app.StartAsync();
        await checkedOnce.Task;
        Assert.Empty(control.Calls);

        result.SetResult(HealthCheckResult.Unhealthy("Password=hunter2"));
        await Eventually.True(() => control.Calls.Count == 2);
        Assert.Equal(["health check database fails", "ready"], control.Calls);
        await Eventually.True(() => logs.Entries.Any(entry => entry.Id == 1412) != asksForHealth);
    }

    [Fact]
    public async Task A_provider_that_throws_may_lead_all_the_same_and_is_told_again()
    {
        using var logs = new RecordedLogs();
        using var control = new RecordedControl(asksForHealth: true) { Failures = 2 };
        await using var app = TestApp.Create([], builder =>
        {
            builder.Services.AddSingleton<ILoggerFactory>(logs);
            builder.Services.AddSingleton<ILeaderProvider>(control);
            builder.Services.AddHealthChecks().AddCheck("database", () => HealthCheckResult.Healthy(), tags: ["db"]);
            builder.Services.AddHa(options => options.StandsWhile("db", TimeSpan.FromMilliseconds(50)));
        });
        await app.StartAsync();
        await Eventually.True(() => control.Calls.Count >= 2);
        Assert.Equal("ready", control.Calls.First());
        Assert.Equal(2, logs.Entries.Count(entry => entry.Id == 1416));
    }

    [Fact]
    public async Task A_tag_that_no_check_has_stops_the_start()
    {
        await using var app = TestApp.Create(Alone, builder =>
        {
            builder.Services.AddHealthChecks().AddCheck("other", () => HealthCheckResult.Healthy(), tags: ["other"]);
            builder.Services.AddHa(options => options.StandsWhile("db"));
        });
        var error = await Assert.ThrowsAsync<InvalidHaOptionsException>(() => app.StartAsync());
        Assert.Contains("StandsWhile(\"db\") ties leadership to the health checks with that tag, and there is none", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tag_on_a_check_that_asks_who_leads_stops_the_start()
    {
        await using var app = TestApp.Create(Alone, builder =>
        {
            builder.Services.AddHealthChecks().AddHaLeader(tags: ["live"]);
            builder.Services.AddHa(options => options.StandsWhile("live"));
        });
        var error = await Assert.ThrowsAsync<InvalidHaOptionsException>(() => app.StartAsync());
        Assert.Contains("the health check 'ha-leader', which asks who leads", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_plugin_is_off_no_tag_is_looked_for()
    {
        await using var app = TestApp.Create(TestApp.Inactive, builder => builder.Services.AddHa(options => options.StandsWhile("db")));
        await app.StartAsync();
    }

    [Fact]
    public async Task A_fixed_leader_is_told_that_health_makes_no_difference()
    {
        using var logs = new RecordedLogs();
        await using var app = TestApp.Create(TestApp.FixedLeader, builder =>
        {
            builder.Services.AddSingleton<ILoggerFactory>(logs);
            builder.Services.AddHealthChecks().AddCheck("db", () => HealthCheckResult.Unhealthy(), tags: ["db"]);
            builder.Services.AddHa(options => options.StandsWhile("db"));
        });
        await app.StartAsync();
        Assert.Contains(logs.Entries, entry => entry.Id == 1412);
        Assert.True(app.Services.GetRequiredService<ILeaderProvider>().IsLeader);
    }

    [Theory]
    [InlineData("", 1000, 3, 2)]
    [InlineData("db", 9, 3, 2)]
    [InlineData("db", 3_600_001, 3, 2)]
    [InlineData("db", 1000, 0, 2)]
    [InlineData("db", 1000, 3, 0)]
    public void What_is_out_of_range_is_refused(string tag, int interval, int failures, int successes) => Assert.ThrowsAny<ArgumentException>(
        () => new HaOptions().StandsWhile(tag, TimeSpan.FromMilliseconds(interval), failures: failures, successes: successes));

    private static (string Key, string? Value)[] Alone => [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "n1")];

    private static void WithHealth(WebApplicationBuilder builder, ConcurrentDictionary<string, bool> ill)
    {
        var id = builder.Configuration["BASE_NODE_ID"]!;
        builder.Services.AddHealthChecks().AddCheck(
            "database", () => ill.GetValueOrDefault(id) ? HealthCheckResult.Unhealthy("Password=hunter2") : HealthCheckResult.Degraded(), tags: ["db"]);
        builder.Services.AddHa(options => options.StandsWhile("db", TimeSpan.FromMilliseconds(50), failures: 2, successes: 2));
    }

    private static WebApplication OverStore(string id, InMemoryLeaseStore store, ConcurrentDictionary<string, bool> ill) => TestApp.Create(
        [
            ("BASE_NODE_ID", id),
            ("BASE_LOCAL_TARGET", $"http://{id}:1"),
            ("BASE_LEASE_STORE", "memory:"),
            ("BASE_LEASE_TIMEOUT", "600ms"),
            ("BASE_HEARTBEAT_INTERVAL", "200ms"),
        ],
        builder =>
        {
            builder.Services.AddHa(options => options.LeaseStores["memory"] = _ => store.Connect());
            WithHealth(builder, ill);
        });

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static async Task WriteAsync(KestrelCluster.Node node, ConcurrentQueue<HttpStatusCode> statuses, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            using var answer = await node.PostAsync("/notes");
            statuses.Enqueue(answer.StatusCode);
        }
    }

    private static async Task<(HttpStatusCode Status, string Body)> PostAsync(KestrelCluster.Node node, string route)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(route, UriKind.Relative));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        using var answer = await node.Client.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static Task<string[]> PausedAsync(KestrelCluster.Node node) => WithAsync(node, "paused");

    private static Task<string[]> UnhealthyAsync(KestrelCluster.Node node) => WithAsync(node, "unhealthy");

    private static async Task<string[]> WithAsync(KestrelCluster.Node node, string key)
    {
        using var answer = await node.GetAsync("/_ha/peers");
        using var peers = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return [.. peers.RootElement.EnumerateArray().Where(peer => peer.GetProperty(key).GetBoolean()).Select(peer => peer.GetProperty("node_id").GetString()!)];
    }

    private static async Task<string> PageAsync(KestrelCluster.Node node)
    {
        using var answer = await node.GetAsync("/_ha");
        return await answer.Content.ReadAsStringAsync();
    }

    private sealed class RecordedControl(bool asksForHealth) : ILeaderProvider, ILeadershipControl, IDisposable
    {
        private readonly TestLeader _leader = new();

        public ConcurrentQueue<string?> Calls { get; } = [];

        public int Failures { get; set; }

        public LeadershipSnapshot Current => _leader.Current;

        public bool IsLeader => _leader.IsLeader;

        public string? RedirectTarget => null;

        public Task Ready => Task.CompletedTask;

        public ILeadershipControl Control => this;

        public WriteGate Gate { get; } = new();

        public RequestDelegate? Heartbeat => null;

        public IChangeToken GetChangeToken() => _leader.GetChangeToken();

        public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => _leader.WaitForLeaderAsync(cancellationToken);

        public ClusterView View() => new([], "own", Current);

        public void SetReady() => Calls.Enqueue("ready");

        public HandoffStart StepDown(string? toNodeId) => new(HandoffResult.NotLeader);

        public bool ReportHealth(string? trouble)
        {
            if (Failures-- > 0)
            {
                throw new InvalidOperationException("not now");
            }

            Calls.Enqueue(trouble);
            return asksForHealth;
        }

        public Task<bool> HandOffAsync(CancellationToken cancellationToken) => Task.FromResult(false);

        public void CheckFence(long epoch)
        {
        }

        public void Dispose() => _leader.Dispose();
    }
}
