using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Ha.Configuration;
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
