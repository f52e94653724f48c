using System.Net;
using Ha.Leadership;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Tests.Hosting;

/// <summary>AddHa() from end to end: real hosts, real sockets, signed heartbeats.</summary>
public class ClusterTests
{
    [Fact]
    public async Task Three_hosts_elect_the_lowest_id_and_followers_redirect_writes_to_it()
    {
        await using var cluster = new KestrelCluster(["b", "c", "a"]);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        var leader = cluster.Leader;
        Assert.Equal("a", leader.Id);
        var follower = cluster.Nodes[0];

        using var redirected = await follower.PostAsync("/notes?x=%2F%20y");
        Assert.Equal(HttpStatusCode.TemporaryRedirect, redirected.StatusCode);
        Assert.Equal($"{leader.Url}/notes?x=%2F%20y", redirected.Headers.Location!.OriginalString);
        Assert.Equal(leader.Url, Assert.Single(redirected.Headers.GetValues("X-Base-Leader")));
        Assert.Equal("b", Assert.Single(redirected.Headers.GetValues("X-Base-Node")));

        using var written = await leader.PostAsync("/notes");
        Assert.Equal(HttpStatusCode.Created, written.StatusCode);
        using var read = await follower.GetAsync("/notes");
        Assert.Equal("b", await read.Content.ReadAsStringAsync());
        using var info = await follower.GetAsync("/_ha/leader");
        Assert.Contains("\"node_id\":\"a\"", await info.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_follower_in_proxy_mode_brings_the_leaders_answer()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_FORWARD_MODE", "proxy")]);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        using var written = await cluster.Nodes[1].PostAsync("/notes");
        Assert.Equal(HttpStatusCode.Created, written.StatusCode);
        Assert.Equal("\"a\"", await written.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_leader_that_stops_hands_over_while_it_still_serves_and_says_that_it_drains()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_SHUTDOWN_DELAY", "5s")]);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        var epoch = cluster.Leader.Provider.Current.Epoch;

        var stopping = cluster.Nodes[0].StopAsync();
        await cluster.HasLeaderAsync("b");
        Assert.True(cluster.Nodes[1].Provider.Current.Epoch > epoch);
        Assert.False(stopping.IsCompleted);
        using var ready = await cluster.Nodes[0].GetAsync("/_ha/healthz/ready");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "draining\n"), (ready.StatusCode, await ready.Content.ReadAsStringAsync()));
        await Eventually.True(() => cluster.Nodes[0].Provider.Current.LeaderId == "b");
        using var redirected = await cluster.Nodes[0].PostAsync("/notes");
        Assert.Equal($"{cluster.Nodes[1].Url}/notes", redirected.Headers.Location!.OriginalString);
        await stopping;
    }

    [Fact]
    public async Task A_handoff_waits_for_the_leaders_background_job()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_DRAIN_TIMEOUT", "20s")], builder =>
            builder.Services.AddHostedService(provider => new LeaderBackgroundServiceTests.Job(
                provider.GetRequiredService<ILeaderProvider>(), NullLogger.Instance, TimeProvider.System)
            {
                Work = async run =>
                {
                    await run.EndedAsync();
                    await finish.Task;
                },
            }));
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        var node = cluster.Nodes[0];
        var job = node.App.Services.GetServices<IHostedService>().OfType<LeaderBackgroundServiceTests.Job>().Single();
        var run = await job.NextRunAsync();
        Assert.Equal(1, node.App.Services.GetRequiredService<HaNode>().Gate.Inside);

        var stopping = node.StopAsync();
        await run.EndedAsync();
        Assert.True(node.Provider.IsLeader, "the lease is renewed while the job finishes");
        finish.SetResult();
        await stopping;
        await cluster.HasLeaderAsync("b");
    }

    [Fact]
    public async Task A_leader_goes_above_a_fence_that_a_stranger_has_raised()
    {
        var stored = 0L;
        await using var cluster = new KestrelCluster(["a", "b", "c"], build: builder => builder.Services.Configure<HaOptions>(options =>
            options.RaiseFence = (epoch, _) => ValueTask.FromResult(Interlocked.Exchange(ref stored, Math.Max(Volatile.Read(ref stored), epoch)))));
        foreach (var node in cluster.Nodes)
        {
            node.App.MapPost("/fenced", (HttpContext context) =>
                context.Features.GetRequiredFeature<IHaFeature>().Epoch is var epoch && epoch < Volatile.Read(ref stored)
                    ? throw new NotLeaderException()
                    : epoch);
        }

        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        await Eventually.True(() => cluster.Nodes[0].Provider.Current.AdmitsWrites);
        var strangers = cluster.Nodes[0].Provider.Current.Epoch + 1_000_000_000;
        Volatile.Write(ref stored, strangers);

        using var refused = await cluster.Nodes[0].PostAsync("/fenced");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", refused.Headers.GetValues("X-Base-Not-Executed").Single());
        await Eventually.True(() => cluster.Nodes[0].Provider.Current is { AdmitsWrites: true } now && now.Epoch > strangers);
        using var written = await cluster.Nodes[0].PostAsync("/fenced");
        Assert.Equal($"{cluster.Nodes[0].Provider.Current.Epoch}", await written.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task One_node_alone_leads_at_once_and_takes_writes()
    {
        await using var cluster = new KestrelCluster(["a"], [("BASE_CLUSTER_SECRET", "")]);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        using var written = await cluster.Nodes[0].PostAsync("/notes");
        Assert.Equal(HttpStatusCode.Created, written.StatusCode);
        await cluster.Nodes[0].StopAsync();
    }

    [Fact]
    public async Task A_host_that_waits_for_others_starts_and_is_ready_but_refuses_writes()
    {
        await using var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_WRITE_HOLD", "0")]);
        var lonely = cluster.Nodes[2];
        await lonely.App.StartAsync();
        await Eventually.True(async () =>
        {
            using var ready = await lonely.GetAsync("/_ha/healthz/ready");
            return ready.StatusCode == HttpStatusCode.OK;
        });
        using var refused = await lonely.PostAsync("/notes");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "1"), (refused.StatusCode, Assert.Single(refused.Headers.GetValues("Retry-After"))));
    }
}
