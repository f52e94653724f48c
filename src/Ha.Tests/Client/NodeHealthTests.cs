using System.Net;
using Ha.Client;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class NodeHealthTests
{
    [Fact]
    public async Task Dead_node_costs_one_attempt_and_is_then_avoided()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(B, Refuse);
        await ReadAsync(cluster, 12);
        Assert.Single(cluster.Path, B);
        Assert.Empty(cluster.Time.Delays);
    }

    [Fact]
    public async Task Dead_node_is_tried_again_at_growing_distances()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(B, Refuse);
        var tries = new List<double>();
        for (var i = 0; i < 600; i++)
        {
            cluster.Forget();
            await ReadAsync(cluster, 3);
            if (cluster.Path.Contains(B))
            {
                tries.Add(cluster.Time.GetTimestamp() / 1e7);
            }

            cluster.Time.Advance(TimeSpan.FromMilliseconds(100));
        }

        var gaps = tries.Zip(tries.Skip(1), (a, b) => b - a).ToArray();
        Assert.InRange(gaps[0], 0.2, 0.7);
        Assert.All(gaps, gap => Assert.InRange(gap, 0.2, 15.2));
        Assert.InRange(gaps[^1], 7, 15.2);
        Assert.InRange(tries.Count, 7, 13);
    }

    [Fact]
    public async Task Burst_of_failures_counts_once()
    {
        using var cluster = new ScriptedCluster();
        var release = new TaskCompletionSource();
        cluster.On(B, async (request, _) =>
        {
            await release.Task;
            return Refuse(request);
        });
        var burst = Enumerable.Range(0, 30).Select(_ => ReadAsync(cluster, 1)).ToArray();
        release.SetResult();
        await Task.WhenAll(burst);
        Assert.Equal(10, cluster.Path.Count(node => node == B));

        cluster.On(B, Ok());
        cluster.Time.Advance(TimeSpan.FromMilliseconds(501));
        cluster.Forget();
        await ReadAsync(cluster, 3);
        Assert.Contains(B, cluster.Path);
    }

    [Fact]
    public async Task One_call_finds_out_whether_a_dead_node_is_back_while_the_others_stay_away()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(B, Refuse);
        await ReadAsync(cluster, 3);
        var release = new TaskCompletionSource();
        cluster.On(B, async (request, _) =>
        {
            await release.Task;
            return Ok()(request);
        });
        cluster.Time.Advance(TimeSpan.FromMilliseconds(501));
        cluster.Forget();
        var reads = Enumerable.Range(0, 12).Select(_ => ReadAsync(cluster, 1)).ToArray();
        Assert.Single(cluster.Path, B);
        release.SetResult();
        await Task.WhenAll(reads);
    }

    [Fact]
    public async Task Node_that_is_back_takes_its_turn_again()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(B, Refuse);
        await ReadAsync(cluster, 3);
        cluster.On(B, Ok());
        cluster.Time.Advance(TimeSpan.FromSeconds(1));
        cluster.Forget();
        await ReadAsync(cluster, 9);
        Assert.Equal(3, cluster.Path.Count(node => node == B));
    }

    [Fact]
    public async Task Dead_leader_is_left_at_once_and_not_believed_again_in_its_old_epoch()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A);
        await ReadAsync(cluster, 1);
        cluster.On(A, Refuse);
        cluster.Forget();

        // The followers notice after three questions.
        var asked = 0;
        cluster.On(B, request => ++asked < 4 ? ToLeader(A)(request) : ToLeader(C, 8)(request));
        cluster.On(C, request => ++asked < 4 ? ToLeader(A)(request) : Ok(C, 8)(request));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.InRange(cluster.Path.Count(node => node == A), 1, 2);
        Assert.NotEmpty(cluster.Time.Delays);
    }

    [Fact]
    public async Task Restarted_leader_with_a_newer_epoch_is_taken_at_once()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A);
        await ReadAsync(cluster, 1);
        cluster.On(A, Refuse);
        cluster.On(B, ToLeader(A, 8));
        cluster.On(C, ToLeader(A, 8));
        cluster.Forget();
        var refusals = 0;
        cluster.On(A, request => refusals++ == 0 ? Refuse(request) : Ok(A, 8)(request));
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(3, cluster.Path.Length);
        Assert.Empty(cluster.Time.Delays);
    }

    [Fact]
    public async Task All_nodes_down_is_waited_out_within_the_deadline()
    {
        using var cluster = new ScriptedCluster();
        var back = cluster.Time.GetTimestamp() + TimeSpan.FromSeconds(20).Ticks;
        cluster.Everywhere(request => cluster.Time.GetTimestamp() < back ? Refuse(request) : Ok(A)(request));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.InRange((cluster.Time.GetTimestamp() - back) / 1e7, 0, 1.1);
    }

    [Fact]
    public async Task All_nodes_down_ends_in_one_exception_that_lists_what_each_said()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Refuse);
        cluster.On(C, Problem(503, "no leader", retryAfter: 1));
        var start = cluster.Time.GetTimestamp();
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes?token=secret", content: null));
        Assert.InRange(cluster.Time.GetElapsedTime(start).TotalSeconds, 28, 30);
        Assert.Equal([A, B, C], error.Nodes.Select(node => node.Node.GetLeftPart(UriPartial.Authority)).Order(StringComparer.Ordinal));
        Assert.Contains("POST /notes was not answered", error.Message, StringComparison.Ordinal);
        Assert.Contains("503 no leader", error.Message, StringComparison.Ordinal);
        Assert.Contains("ConnectionError", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        Assert.InRange(cluster.Log.Count, 10, 120);
    }

    [Fact]
    public async Task No_round_begins_in_the_last_moment_before_the_deadline()
    {
        // A first pause of 50 to 100 ms would leave up to 50 ms.
        using var cluster = new ScriptedCluster(o => (o.Deadline, o.AttemptTimeout) = (TimeSpan.FromMilliseconds(5100), TimeSpan.FromSeconds(5)));
        cluster.Everywhere(request =>
        {
            cluster.Time.Advance(TimeSpan.FromSeconds(5));
            return Problem(503, "no leader")(request);
        });
        await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Nothing_is_sent_once_the_questions_for_the_leader_have_used_the_time_up()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        cluster.Everywhere(request =>
        {
            cluster.Time.Advance(TimeSpan.FromSeconds(20));
            return Refuse(request);
        });
        using var stream = new StreamContent(new MemoryStream([1]));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", stream));
        Assert.Contains("the deadline is over", error.Message, StringComparison.Ordinal);
        Assert.All(cluster.Log, sent => Assert.True(IsRead(sent.Request)));
    }

    [Fact]
    public async Task Retry_After_beyond_the_deadline_ends_the_call_at_once()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Problem(503, "no leader", retryAfter: 60));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Empty(cluster.Time.Delays);
        Assert.Contains("not asked", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_slow_request_does_not_make_a_dead_node()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(B, async (request, cancellation) =>
        {
            if (request.RequestUri!.AbsolutePath != "/slow")
            {
                return Ok()(request);
            }

            cluster.Time.Advance(TimeSpan.FromMilliseconds(1));
            await ReadAsync(cluster, 3);
            return await cluster.Time.HangAsync(cancellation);
        });
        for (var i = 0; i < 3; i++)
        {
            await cluster.Client.GetStringAsync("/slow");
        }

        cluster.Forget();
        await ReadAsync(cluster, 3);
        Assert.Contains(B, cluster.Path);
    }

    [Fact]
    public async Task Clients_of_one_cluster_share_what_they_know()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(C);
        await ReadAsync(cluster, 1);
        cluster.Forget();
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal([C], cluster.Path);
    }

    private static async Task ReadAsync(ScriptedCluster cluster, int times)
    {
        for (var i = 0; i < times; i++)
        {
            await cluster.Client.GetStringAsync("/notes");
        }
    }
}
