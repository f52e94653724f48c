using System.Diagnostics.Metrics;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Heartbeat;
using Ha.Tests.Hosting;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Security;

/// <summary>
/// Heartbeats that are signed well and refused all the same: with the contract's code, counted by reason, logged once,
/// shown to people. The node under test hears two others; one of them is the test.
/// </summary>
public sealed class RefusalTests : IAsyncLifetime, IDisposable
{
    private const int Repetitions = 5;
    private readonly RecordedLogs _logs = new();
    private readonly HttpMessageHandler _handler = PeerHandler.Create(TimeSpan.FromSeconds(30));
    private readonly KestrelCluster _cluster;
    private readonly PeerClient _client;
    private long _seq = 1000;

    public RefusalTests()
    {
        _cluster = new KestrelCluster(["a", "b", "c"], [("BASE_CLUSTER_SECRET", Rings.OldSecret)], builder =>
        {
            if (builder.Configuration["BASE_NODE_ID"] is "b")
            {
                builder.Services.AddSingleton<ILoggerFactory>(_logs);
            }
        });
        _client = new PeerClient(_handler, new KeySource(Rings.Old));
    }

    private KestrelCluster.Node Node => _cluster.Nodes[1];

    private string ThirdUrl => _cluster.Nodes[2].Url;

    public async Task InitializeAsync()
    {
        // It speaks from its construction on, listening or not; the test alone is to speak for it.
        await ((LuxLeader)_cluster.Nodes[2].Provider).DisposeAsync();
        await _cluster.Nodes[0].App.StartAsync();
        await Node.App.StartAsync();

        // Both ways, so that no first contact of theirs is counted among ours.
        await Eventually.True(() => _cluster.Nodes.Take(2).All(node => ((LuxLeader)node.Provider).Election.View().Members.Any(member => member is { IsSelf: false, Up: true, RoundTrip: not null })));
    }

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    public void Dispose()
    {
        _client.Dispose();
        _handler.Dispose();
        _logs.Dispose();
    }

    [Fact]
    public async Task Another_cluster_is_refused_with_403_counted_and_logged_once()
    {
        await AssertRefusedAsync("other_cluster", BeatStatus.OtherCluster, beat => beat with { From = beat.From with { ClusterId = "theirs" } });

        Assert.Equal($"A heartbeat was rejected: other_cluster, {ThirdUrl} is of cluster theirs; nodes of one cluster have the same BASE_CLUSTER_ID.", Logged(1100, "other_cluster"));
    }

    [Fact]
    public async Task A_stranger_is_refused_with_403_counted_and_logged_once()
    {
        await AssertRefusedAsync("not_member", BeatStatus.NotMember, beat => beat with { From = beat.From with { Target = "http://d:1" } });

        Assert.Equal("A heartbeat was rejected: not_member, http://d:1 (c) is not in BASE_PEERS.", Logged(1100, "not_member"));
        Assert.DoesNotContain("http://d:1", await Node.Client.GetStringAsync("/_ha/peers"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_heartbeat_for_another_node_or_an_earlier_process_gets_409_and_is_logged_once()
    {
        await AssertRefusedAsync("conflict", BeatStatus.Conflict, beat => beat with { ToIncarnation = Guid.NewGuid() });

        Assert.Contains($"from {ThirdUrl} was not taken for fresh", Logged(1104, ThirdUrl), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_settings_get_412_and_show_in_peers()
    {
        var fresh = await FreshAsync("c");
        await AssertRefusedAsync("config_mismatch", BeatStatus.ConfigMismatch, beat => fresh with
        {
            Seq = beat.Seq,
            From = fresh.From with { Digest = "other", LeaseMicros = 9_000_000 },
        });

        Assert.StartsWith("Settings of c differ from this node's, so it gets no vote: lease timeout is 9000 ms there and 3000 ms here. BASE_PEERS", Logged(1018, "c"), StringComparison.Ordinal);
        await ShowsAsync("lease timeout is 9000 ms there and 3000 ms here");
    }

    [Fact]
    public async Task A_taken_NodeID_gets_403_and_shows_in_peers()
    {
        for (var i = 0; i < Repetitions; i++)
        {
            // Each has to be fresh anew: nobody is to stop an election by repeating one.
            var fresh = await FreshAsync("a");
            Assert.Equal(BeatStatus.DuplicateId, (await SendAsync(fresh)).Status);
        }

        Assert.Equal(
            $"NodeID a is used more than once, so nobody gets a vote: {ThirdUrl} uses a NodeID that another member has. Give each node its own BASE_NODE_ID, and name each once in BASE_PEERS, by its BASE_LOCAL_TARGET.", Logged(1017, "a"));
        await ShowsAsync("its NodeID is used by another member too");
    }

    [Fact]
    public async Task A_stranger_finds_the_contracts_code_in_its_own_view()
    {
        var options = new HaOptions { NodeId = "d", LocalTarget = "http://127.0.0.1:1", HeartbeatInterval = TimeSpan.FromMilliseconds(200), LeaseTimeout = TimeSpan.FromSeconds(3) };
        options.Peers.Add(Node.Url);
        options.ClusterSecrets.Add(Rings.OldSecret);
        await using var stranger = new LuxLeader(options);
        stranger.SetReady();

        await Eventually.True(() => stranger.Election.View().Members.Any(member => member.ConfigMismatch == "it says that this node is not in its BASE_PEERS"));
    }

    private async Task ShowsAsync(string mismatch)
    {
        var peers = await Node.Client.GetStringAsync("/_ha/peers");
        Assert.True(peers.Contains($"\"config_mismatch\":\"{mismatch}\"", StringComparison.Ordinal), peers);
    }

    /// <summary>Sends it a few times; what it changes is taken from a message that would be good.</summary>
    private async Task AssertRefusedAsync(string reason, BeatStatus status, Func<Beat, Beat> change)
    {
        using var counted = new RejectionCounter(Node.App.Services.GetRequiredService<IMeterFactory>());
        for (var i = 0; i < Repetitions; i++)
        {
            var reply = await SendAsync(change(Heartbeat("c")));
            Assert.True(status == reply.Status, $"The answer to heartbeat {i} is {reply}");
            Assert.False(reply.Granted);
        }

        // A heartbeat of the other member that a busy machine has delayed may be overtaken by the next and refused too.
        Assert.InRange(counted.Of(reason), Repetitions, Repetitions + 1);
    }

    private string Logged(int id, string about) => Assert.Single(_logs.Entries, entry => entry.Id == id && entry.Text.Contains(about, StringComparison.Ordinal)).Text;

    /// <summary>What the third member would say if it ran.</summary>
    private Beat Heartbeat(string id)
    {
        var beat = Beats.Request(++_seq, id);
        return beat with
        {
            From = beat.From with { Target = ThirdUrl, PublicTarget = ThirdUrl, Role = NodeRole.Follower, Epoch = 0, LeaseRemainingMicros = 0, Grant = null, Hint = null, Successor = null },
            Op = BeatOp.None,
            OpEpoch = 0,
            OpDurationMicros = 0,
        };
    }

    /// <summary>The same with the proof of freshness that the node under test asks for.</summary>
    private async Task<Beat> FreshAsync(string id)
    {
        var beat = Heartbeat(id);
        beat = beat with { From = beat.From with { Incarnation = Guid.NewGuid() } };
        var asked = await SendAsync(beat);
        Assert.Equal(BeatStatus.Conflict, asked.Status);
        return beat with { ToIncarnation = asked.From.Incarnation, Nonce = asked.Nonce, Seq = ++_seq };
    }

    private async Task<BeatReply> SendAsync(Beat beat)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var exchange = await _client.SendAsync(Node.Url, beat, limit.Token);
        Assert.Equal("", exchange.Detail);
        return exchange.Reply!;
    }
}
