using System.Globalization;
using System.Net;
using Ha.Client;
using Ha.Client.Routing;
using Microsoft.Extensions.Time.Testing;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class SeenEpochTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Member[] _nodes = [.. new[] { A, B, C }.Select(url => new Member(url, configured: true, trusted: true))];

    [Fact]
    public async Task What_needs_the_leader_says_the_highest_epoch_that_any_node_has_named_and_reads_do_not()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(B, 9);
        await cluster.Client.GetStringAsync("/");
        await cluster.Client.GetStringAsync("/");
        using var written = await cluster.Client.PostAsync("/notes", content: null);
        using var fresh = new HttpRequestMessage(HttpMethod.Get, "/");
        fresh.Options.Set(LeaderRouting.ToLeader, true);
        using var read = await cluster.Client.SendAsync(fresh);
        using var own = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "X-Base-Seen-Epoch", "3" } } };
        using var answer = await cluster.Client.SendAsync(own);
        Assert.Equal([null, null, "9", "9", "3"], cluster.Log.Select(sent => sent.Header("X-Base-Seen-Epoch")));
    }

    [Fact]
    public async Task Epoch_of_somebody_who_is_no_member_does_not_go_along()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy("http://elsewhere", 7);
        cluster.On("http://elsewhere", Ok("http://elsewhere", 99));
        using var first = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal("http://elsewhere", cluster.Path[^1]);
        cluster.Forget();
        using var second = await cluster.Client.PostAsync("/notes", content: null);
        await cluster.Client.GetStringAsync("/");
        Assert.Equal(["7", "7", null], cluster.Log.Select(sent => sent.Header("X-Base-Seen-Epoch")));
    }

    [Fact]
    public async Task Epoch_in_the_answer_to_the_clients_own_question_counts()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        cluster.LedBy(A, 9);
        using var stream = new StreamContent(new MemoryStream([1]));
        using var response = await cluster.Client.PostAsync("/notes", stream);
        var sent = cluster.Log.First(sent => !IsRead(sent.Request));
        Assert.Equal("9", sent.Header("X-Base-Seen-Epoch"));
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
        epochs.Expect(_nodes);
        epochs.Hear(_nodes[0], 8);
        epochs.Hear(_nodes[1], 7);
        epochs.Hear(_nodes[2], 7);
        _clock.Advance(SeenEpochs.Patience - TimeSpan.FromMilliseconds(1));
        epochs.Hear(_nodes[2], 7);
        Assert.Equal(8, epochs.Highest);
        epochs.Hear(_nodes[0], 8);
        _clock.Advance(SeenEpochs.Patience);

        // One node alone, however long.
        for (var i = 0; i < 5; i++)
        {
            epochs.Hear(_nodes[1], 7);
            epochs.Hear(new Member("http://b.example", configured: false, trusted: true), 7);
            _clock.Advance(SeenEpochs.Patience);
        }

        Assert.Equal(8, epochs.Highest);
        epochs.Hear(_nodes[2], 6);
        Assert.Equal(7, epochs.Highest);
        epochs.Hear(_nodes[2], 0);
        epochs.Hear(_nodes[2], -5);
        Assert.Equal(7, epochs.Highest);
    }

    [Fact]
    public void Time_begins_with_the_first_lower_word_after_the_last_of_the_highest()
    {
        var epochs = new SeenEpochs(_clock);
        epochs.Expect(_nodes);
        epochs.Hear(_nodes[0], 8);
        epochs.Hear(_nodes[1], 7);
        _clock.Advance(SeenEpochs.Patience - TimeSpan.FromMilliseconds(1));
        epochs.Hear(_nodes[0], 8);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        epochs.Hear(_nodes[1], 7);
        epochs.Hear(_nodes[2], 7);
        Assert.Equal(8, epochs.Highest);
        _clock.Advance(SeenEpochs.Patience);
        epochs.Hear(_nodes[2], 7);
        Assert.Equal(7, epochs.Highest);
    }

    [Fact]
    public void Half_of_the_nodes_are_not_most()
    {
        var epochs = new SeenEpochs(_clock);
        epochs.Expect(_nodes[..2]);
        epochs.Hear(_nodes[0], 8);
        epochs.Hear(_nodes[1], 7);
        _clock.Advance(SeenEpochs.Patience);
        epochs.Hear(_nodes[1], 7);
        Assert.Equal(8, epochs.Highest);
    }

    [Theory]
    [InlineData(A, "7", 7L)]
    [InlineData(A, "0", 0L)]
    [InlineData(null, "7", 7L)]
    [InlineData(null, "0", null)]
    [InlineData(null, null, null)]
    public void Node_that_knows_of_no_leader_names_no_epoch(string? leader, string? epoch, long? named)
    {
        using var response = new HttpResponseMessage();
        foreach (var (name, value) in new[] { ("X-Base-Leader", leader), ("X-Base-Epoch", epoch) }.Where(header => header.Item2 is not null))
        {
            response.Headers.Add(name, value);
        }

        Assert.Equal(named, AnswerReader.NamedEpoch(response));
    }

    [Fact]
    public void Highest_is_forgotten_under_a_leader_without_an_epoch()
    {
        var epochs = new SeenEpochs(_clock);
        epochs.Expect(_nodes);
        Assert.False(epochs.Hear(_nodes[0], 8));
        Assert.False(epochs.Hear(_nodes[1], 0));
        _clock.Advance(SeenEpochs.Patience);
        Assert.True(epochs.Hear(_nodes[2], 0));
        Assert.Equal(0, epochs.Highest);
    }

    [Fact]
    public void Node_does_not_count_twice_by_the_addresses_of_two_families()
    {
        var (node, spare, silent) = (_nodes[0], new Member("http://a-again", configured: true, trusted: true, isSpare: true), _nodes[1]);
        var epochs = new SeenEpochs(_clock);
        epochs.Expect([node, silent, spare]);
        epochs.Hear(silent, 8);
        epochs.Hear(node, 7);
        epochs.Hear(spare, 7);
        _clock.Advance(SeenEpochs.Patience);
        epochs.Hear(spare, 7);
        Assert.Equal(8, epochs.Highest);
    }

    [Fact]
    public void Word_of_a_node_that_is_gone_does_not_count()
    {
        var epochs = new SeenEpochs(_clock);
        epochs.Expect(_nodes);
        epochs.Hear(_nodes[0], 8);
        epochs.Hear(_nodes[1], 7);
        epochs.Expect([_nodes[0], _nodes[2], new Member("http://d", configured: true, trusted: true)]);
        epochs.Hear(_nodes[1], 7);
        epochs.Hear(_nodes[2], 7);
        _clock.Advance(SeenEpochs.Patience);
        epochs.Hear(_nodes[2], 7);
        Assert.Equal(8, epochs.Highest);
    }
}
