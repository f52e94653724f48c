using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Ha.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Outside.Tests.Leadership;

/// <summary>Leadership in the hands of a test, in an application that a test server runs.</summary>
public class FakeLeadershipTests
{
    private const string Token = "a-token-that-is-long-enough-for-this-test";

    [Fact]
    public async Task Every_route_shows_what_the_test_says()
    {
        var leadership = new FakeLeadership("a", "http://a.example");
        await using var app = await StartAsync(leadership);
        using var client = app.Client();
        Assert.Equal(("a", 1, true), await LeaderAsync(client));
        await leadership.FollowAsync("b", "http://b.example:81", epoch: 4);
        Assert.Equal(("b", 4, false), await LeaderAsync(client));
        var peers = await client.GetFromJsonAsync<JsonElement>("/_ha/peers");
        Assert.Equal(["a", "b"], peers.EnumerateArray().Select(peer => peer.GetProperty("node_id").GetString()));
        leadership.Lose();
        Assert.Equal(("", 0, false), await LeaderAsync(client));
        await leadership.LeadAsync();
        Assert.Equal(("a", 5, true), await LeaderAsync(client));
    }

    [Fact]
    public async Task A_request_to_step_down_is_recorded_and_done()
    {
        var leadership = new FakeLeadership();
        await using var app = await StartAsync(leadership);
        using var client = app.Client();
        Assert.Equal(HttpStatusCode.Accepted, await StepDownAsync(client, """{"to":"b"}"""));
        Assert.Equal("b", (await leadership.WaitForLeaderAsync()).LeaderId);
        Assert.Equal(HttpStatusCode.Conflict, await StepDownAsync(client, ""));
        Assert.Equal(["b", null], leadership.StepDowns);
        Assert.Equal(HandoffResult.NotEligible, leadership.StepDown(leadership.NodeId).Result);
    }

    [Fact]
    public async Task A_handler_that_refuses_under_an_unbroken_lease_has_the_fence_checked()
    {
        var leadership = new FakeLeadership();
        await using var app = await StartAsync(leadership);
        app.OnWrite = _ => throw new NotLeaderException();
        using var client = app.Client();
        using var answer = await client.PostAsync("/orders", null);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal([1], leadership.FenceChecks);
    }

    [Fact]
    public void A_paused_leader_is_told_nothing_until_it_notices()
    {
        var leadership = new FakeLeadership();
        var now = leadership.Current;
        var change = leadership.GetChangeToken();
        var permit = LeaderScope.For(leadership);

        leadership.Pause();
        Assert.False(leadership.IsLeader);
        Assert.Throws<NotLeaderException>(permit.EnsureStillLeader);
        Assert.False(now.LeaseLost.IsCancellationRequested);
        Assert.False(change.HasChanged);

        leadership.Lose();
        Assert.True(now.LeaseLost.IsCancellationRequested);
        Assert.True(change.HasChanged);
    }

    [Fact]
    public async Task A_job_runs_while_this_node_leads()
    {
        var leadership = new FakeLeadership();
        var job = new Job(leadership);
        await using var app = await App.StartAsync(services => services.AddTestLeadership(leadership).AddSingleton<IHostedService>(job));
        Assert.Equal(1, await job.Started.Task);
        await leadership.HandOverAsync();           // waits for it, and it hears of it
        Assert.True(job.Ended.Task.IsCompleted);
    }

    [Fact]
    public async Task Epochs_rise_above_what_the_application_s_fence_has_seen()
    {
        long fence = 41;
        var leadership = new FakeLeadership();
        await using var app = await App.StartAsync(services => services.AddTestLeadership(leadership).AddHa(options => options.RaiseFence = (epoch, _) =>
        {
            var before = fence;
            fence = Math.Max(before, epoch);
            return ValueTask.FromResult(before);
        }));
        Assert.Equal(42, leadership.Current.Epoch);
        await leadership.FollowAsync();
        Assert.Equal(43, fence);
        fence = 50;
        await Assert.ThrowsAsync<InvalidOperationException>(() => leadership.LeadAsync(epoch: 50));
        await leadership.LeadAsync();
        Assert.Equal((51, 51), (leadership.Current.Epoch, fence));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => leadership.LeadAsync(epoch: 51));
    }

    [Fact]
    public async Task A_stop_of_the_host_gives_leadership_away()
    {
        var leadership = new FakeLeadership();
        await using var app = await StartAsync(leadership);
        await app.StopAsync();
        Assert.False(leadership.IsLeader);
    }

    private static Task<App> StartAsync(FakeLeadership leadership) => App.StartAsync(
        services => services.AddHa(options => options.WriteHold = TimeSpan.Zero).AddTestLeadership(leadership),
        ("BASE_ADMIN_TOKEN", Token),
        ("BASE_STATIC_LEADER", "http://c.example"));

    private static async Task<(string? Id, long Epoch, bool IsSelf)> LeaderAsync(HttpClient client)
    {
        var leader = await client.GetFromJsonAsync<JsonElement>("/_ha/leader");
        return (leader.GetProperty("node_id").GetString(), leader.GetProperty("epoch").GetInt64(), leader.GetProperty("is_self").GetBoolean());
    }

    private static async Task<HttpStatusCode> StepDownAsync(HttpClient client, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/_ha/step-down") { Content = new StringContent(body) };
        request.Headers.Authorization = new("Bearer", Token);
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }

    private sealed class Job(ILeaderProvider leader) : LeaderBackgroundService(leader, NullLogger.Instance)
    {
        public TaskCompletionSource<long> Started { get; } = new();

        public TaskCompletionSource Ended { get; } = new();

        protected override async Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken)
        {
            var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var registration = cancellationToken.Register(end.SetResult);
            Started.SetResult(leadership.Epoch);
            await end.Task;
            Ended.SetResult();
        }
    }
}
