using System.Globalization;
using System.Net;
using Ha.Client.Routing;
using Microsoft.Extensions.Time.Testing;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class SeenEpochTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Member[] _nodes = [.. new[] { A, B, C }.Select(url => new Member(url, configured: true, trusted: true))];

    [Fact]
    public async Task Writes_say_the_highest_epoch_that_any_node_has_named()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(B, 9);
        await cluster.Client.GetStringAsync("/");
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Null(cluster.Log[0].Header("X-Base-Seen-Epoch"));
        Assert.Equal("9", cluster.Log[^1].Header("X-Base-Seen-Epoch"));
    }

    [Fact]
    public async Task Stale_leader_is_left_for_the_one_of_the_highest_epoch()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(A, request => IsRead(request) ? Ok(A, 7)(request) : Stale(request));
        cluster.On(B, Ok(B, 8));
        cluster.On(C, request => IsRead(request) ? Ok(A, 7)(request) : ToLeader(A, 7)(request));
        for (var i = 0; i < 3; i++)
        {
            await cluster.Client.GetStringAsync("/");
        }

        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(B, cluster.Path[^1]);

        static HttpResponseMessage Stale(HttpRequestMessage request) =>
            request.Headers.TryGetValues("X-Base-Seen-Epoch", out var seen) && seen.Single() == "8"
                ? Problem(503, "not leader", retryAfter: 1, notExecuted: true)(request)
                : throw new InvalidOperationException("Executed under a lower epoch.");
    }

    [Fact]
    public async Task Cluster_that_was_started_anew_with_a_lower_epoch_takes_writes_again_within_one_call()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A, 900);
        await cluster.Client.GetStringAsync("/");
        cluster.LedBy(B, 3);
        cluster.On(B, request => request.Headers.TryGetValues("X-Base-Seen-Epoch", out var seen) && long.Parse(seen.Single(), CultureInfo.InvariantCulture) > 3
            ? Says(Problem(503, "not leader", retryAfter: 1, notExecuted: true)(request))
            : Ok(B, 3)(request));
        var start = cluster.Time.GetTimestamp();
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.InRange(cluster.Time.GetElapsedTime(start).TotalSeconds, 5, 12);

        cluster.Forget();
        using var next = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal("3", Assert.Single(cluster.Log).Header("X-Base-Seen-Epoch"));

        static HttpResponseMessage Says(HttpResponseMessage response)
        {
            response.Headers.Remove("X-Base-Epoch");
            response.Headers.Add("X-Base-Epoch", "3");
            return response;
        }
    }

    [Fact]
    public void Highest_is_forgotten_only_when_most_nodes_name_lower_ones_and_none_the_highest_for_long_enough()
    {
        var epochs = new SeenEpochs(_clock);
        epochs.Expect(3);
        epochs.Hear(_nodes[0], 8);
        epochs.Hear(_nodes[1], 7);
        epochs.Hear(_nodes[2], 7);
        _clock.Advance(SeenEpochs.Patience / 2);
        epochs.Hear(_nodes[0], 8);
        _clock.Advance(SeenEpochs.Patience);

        // One node alone, however long.
        for (var i = 0; i < 5; i++)
        {
            epochs.Hear(_nodes[1], 7);
            _clock.Advance(SeenEpochs.Patience);
        }

        Assert.Equal(8, epochs.Highest);
        epochs.Hear(_nodes[2], 6);
        Assert.Equal(7, epochs.Highest);
        epochs.Hear(_nodes[2], 0);
        epochs.Hear(_nodes[2], -5);
        Assert.Equal(7, epochs.Highest);
    }
}
