using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using Moq;

namespace Ha.Outside.Tests;

/// <summary>An application brings its own <see cref="ILeaderProvider"/>, and every part of the plugin uses it.</summary>
public class ProviderTests
{
    private const string Token = "a-token-that-is-long-enough-for-this-test";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_mock_is_a_provider_registered_before_or_after(bool before)
    {
        var mock = new Mock<ILeaderProvider>();
        mock.Setup(m => m.Current).Returns(LeadershipSnapshot.Follower("me", "other", "http://other.example", epoch: 7));
        mock.Setup(m => m.GetChangeToken()).Returns(new CancellationChangeToken(CancellationToken.None));
        await using var app = await App.StartAsync(services =>
        {
            if (before)
            {
                services.AddSingleton(mock.Object);
            }

            services.AddHa();
            if (!before)
            {
                services.AddSingleton(mock.Object);
            }
        });
        using var client = app.Client();

        using var write = await client.PostAsync("/orders?a=1", null);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, write.StatusCode);
        Assert.Equal("http://other.example/orders?a=1", write.Headers.Location!.ToString());
        Assert.Equal("7", Assert.Single(write.Headers.GetValues("X-Base-Epoch")));

        using var read = await client.GetAsync("/orders");
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);

        var leader = await client.GetFromJsonAsync<JsonElement>("/_ha/leader");
        Assert.Equal("other", leader.GetProperty("node_id").GetString());
        Assert.Equal(7, leader.GetProperty("epoch").GetInt64());

        using var stepDown = await StepDownAsync(client);
        Assert.Equal(HttpStatusCode.NotFound, stepDown.StatusCode);
        Assert.Same(mock.Object, app.Services.GetRequiredService<ILeaderProvider>());
    }

    [Fact]
    public async Task A_leader_by_somebody_else_s_word_runs_its_writes_and_hands_over_when_they_are_done()
    {
        var provider = new OwnProvider("me");
        await using var app = await App.StartAsync(services => services.AddHa().AddSingleton<ILeaderProvider>(provider), ("BASE_ADMIN_TOKEN", Token));
        using var client = app.Client();
        Assert.True(provider.Listens);
        provider.Lead(epoch: 3);

        var (inside, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        app.OnWrite = async _ =>
        {
            inside.SetResult();
            await goOn.Task;
        };
        var write = client.PostAsync("/orders", null);
        await inside.Task;

        using var stepDown = await StepDownAsync(client);
        Assert.Equal(HttpStatusCode.Accepted, stepDown.StatusCode);
        Assert.True(provider.IsLeader);
        using var ready = await client.GetAsync("/_ha/healthz/ready");
        Assert.Equal("draining\n", await ready.Content.ReadAsStringAsync());

        goOn.SetResult();
        using var answer = await write;
        Assert.Equal("epoch 3", await answer.Content.ReadAsStringAsync());
        await provider.UntilAsync(now => now.LeaderId is "other").WaitAsync(TimeSpan.FromSeconds(30));
        using var next = await client.PostAsync("/orders", null);
        Assert.Equal("http://other.example/orders", next.Headers.Location!.ToString());
    }

    [Fact]
    public async Task A_write_is_held_until_the_provider_names_a_leader()
    {
        var provider = new OwnProvider("me");
        await using var app = await App.StartAsync(services => services.AddHa().AddSingleton<ILeaderProvider>(provider));
        using var client = app.Client();
        var write = client.PostAsync("/orders", null);
        provider.Lead(epoch: 9);
        using var answer = await write;
        Assert.Equal("epoch 9", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task What_a_handler_refuses_under_an_unbroken_lease_asks_the_provider_about_its_fence()
    {
        var provider = new OwnProvider("me");
        await using var app = await App.StartAsync(services => services.AddHa(o => o.WriteHold = TimeSpan.Zero).AddSingleton<ILeaderProvider>(provider));
        app.OnWrite = _ => throw new NotLeaderException();
        provider.Lead(epoch: 5);
        using var client = app.Client();
        using var answer = await client.PostAsync("/orders", null);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", Assert.Single(answer.Headers.GetValues("X-Base-Not-Executed")));
        Assert.Contains(5, provider.FenceChecks);
    }

    [Fact]
    public async Task A_stop_hands_over_by_the_provider()
    {
        var provider = new OwnProvider("me");
        await using var app = await App.StartAsync(services => services.AddHa().AddSingleton<ILeaderProvider>(provider));
        provider.Lead(epoch: 3);
        await app.StopAsync();
        Assert.False(provider.IsLeader);
    }

    [Fact]
    public async Task A_leader_background_service_runs_by_the_provider()
    {
        var provider = new OwnProvider("me");
        var job = new Job(provider);
        await using var app = await App.StartAsync(
            services => services.AddHa().AddSingleton<ILeaderProvider>(provider).AddSingleton<IHostedService>(job));
        provider.Lead(epoch: 4);
        Assert.Equal(4, await job.Started.Task);
        Assert.Equal(1, provider.Gate.Inside);
        provider.StepDown(null);
        await job.Ended.Task;
    }

    [Fact]
    public async Task A_provider_that_is_not_a_singleton_stops_the_start()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(
            () => App.StartAsync(services => services.AddHa().AddScoped<ILeaderProvider>(_ => new OwnProvider("me"))));
        Assert.Contains("AddSingleton", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mock_that_was_told_nothing_stops_the_start_by_name()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(
            () => App.StartAsync(services => services.AddHa().AddSingleton(Mock.Of<ILeaderProvider>())));
        Assert.Contains("ILeaderProvider.Current", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_provider_put_around_ours_without_any_setting_leads()
    {
        await using var app = await App.StartAsync(services =>
        {
            services.AddHa();
            var ours = services.Last(service => service.ServiceType == typeof(ILeaderProvider));
            services.AddSingleton(provider => (ILeaderProvider)ours.ImplementationFactory!(provider));
        });
        using var client = app.Client();
        using var answer = await client.PostAsync("/orders", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public void A_snapshot_s_lease_is_renewed_runs_out_and_ends()
    {
        var clock = new Clock();
        var lease = new LeaderLease(clock);
        var snapshot = LeadershipSnapshot.Leader("me", 1, lease);
        Assert.True(snapshot.IsLeader);
        lease.Renew(TimeSpan.FromSeconds(1));
        clock.Now += TimeSpan.FromSeconds(0.9);
        Assert.True(snapshot.IsLeader);
        lease.Renew(TimeSpan.FromSeconds(1));
        clock.Now += TimeSpan.FromSeconds(0.9);
        Assert.True(snapshot.IsLeader);
        clock.Now += TimeSpan.FromSeconds(0.1);
        Assert.False(snapshot.IsLeader);
        Assert.False(snapshot.LeaseLost.IsCancellationRequested);
        lease.Renew(TimeSpan.MaxValue);
        Assert.True(snapshot.IsLeader);
        lease.End();
        lease.Renew(TimeSpan.FromSeconds(1));
        Assert.False(snapshot.IsLeader);
        Assert.True(snapshot.LeaseLost.IsCancellationRequested);
    }

    [Fact]
    public void A_follower_s_snapshot_names_nobody_once_the_lease_ran_out()
    {
        var clock = new Clock();
        var snapshot = LeadershipSnapshot.Follower("me", "other", "HTTP://Other.example:80/", 2, TimeSpan.FromSeconds(1), clock: clock);
        Assert.Equal("http://other.example", snapshot.LeaderUrl);
        Assert.Equal(TimeSpan.FromSeconds(1), snapshot.LeaseRemaining);
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.Equal(TimeSpan.Zero, snapshot.LeaseRemaining);
    }

    [Fact]
    public void Snapshots_that_make_no_sense_are_refused()
    {
        Assert.ThrowsAny<ArgumentException>(() => LeadershipSnapshot.Follower("me", "me", "http://me.example", 1));
        Assert.ThrowsAny<ArgumentException>(() => LeadershipSnapshot.Follower("me", "other", "other.example", 1));
        Assert.ThrowsAny<ArgumentException>(() => LeadershipSnapshot.Follower("me", "other", "http://other.example", -1));
        Assert.ThrowsAny<ArgumentException>(() => LeadershipSnapshot.Leader("", 1, new LeaderLease()));
        Assert.ThrowsAny<ArgumentException>(() => LeadershipSnapshot.Leader("me", -1, new LeaderLease()));
        Assert.ThrowsAny<ArgumentException>(() => LeadershipSnapshot.Nobody(""));
        Assert.ThrowsAny<ArgumentException>(() => new LeaderLease().Renew(TimeSpan.FromSeconds(-1)));
    }

    private static Task<HttpResponseMessage> StepDownAsync(HttpClient client)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/_ha/step-down");
        request.Headers.Authorization = new("Bearer", Token);
        return client.SendAsync(request);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromHours(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private sealed class Job(ILeaderProvider leader) : LeaderBackgroundService(leader, Mock.Of<ILogger>())
    {
        public TaskCompletionSource<long> Started { get; } = new();

        public TaskCompletionSource Ended { get; } = new();

        protected override async Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken)
        {
            Started.SetResult(leadership.Epoch);
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Ended.SetResult();
        }
    }
}
