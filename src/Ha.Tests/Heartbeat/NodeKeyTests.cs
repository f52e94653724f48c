using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Security.Signing;
using static Ha.Tests.Heartbeat.Exchanges;

namespace Ha.Tests.Heartbeat;

/// <summary>With a key of its own a node speaks for itself and for nobody else. Beats come from node-1, replies from node-2.</summary>
public class NodeKeyTests
{
    private static readonly string[] _all = ["node-1", "node-2", "node-3"];

    [Fact]
    public async Task Nodes_with_keys_of_their_own_understand_each_other()
    {
        await using var host = await HeartbeatHost.StartAsync(NodeKeys.Ring("node-2", _all));

        Assert.Equal(BeatExchange.Answered(Beats.Reply()), await SendAsync(host, NodeKeys.Ring("node-1", _all)));
        Assert.Empty(host.Rejected);
    }

    [Fact]
    public async Task A_beat_in_anothers_name_gets_401_and_is_counted()
    {
        await using var host = await HeartbeatHost.StartAsync(NodeKeys.Ring("node-2", _all));

        var exchange = await SendAsync(host, NodeKeys.Ring("node-3", _all));

        Assert.Equal((ExchangeFailure.Unauthorized, "unauthorized"), (exchange.Failure, exchange.Reason));
        Assert.Equal("wrong_node", Assert.Single(host.Rejected));
        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task A_reply_in_anothers_name_is_not_believed()
    {
        await using var host = await HeartbeatHost.StartAsync(NodeKeys.Ring("node-3", _all));

        var exchange = await SendAsync(host, NodeKeys.Ring("node-1", _all));

        Assert.Equal((ExchangeFailure.WrongNode, "wrong_node"), (exchange.Failure, exchange.Reason));
        Assert.Null(exchange.Reply);
    }

    [Fact]
    public async Task A_key_that_is_not_listed_is_unknown()
    {
        await using var host = await HeartbeatHost.StartAsync(NodeKeys.Ring("node-2", ["node-2", "node-3"]));

        Assert.Equal(ExchangeFailure.Unauthorized, (await SendAsync(host, NodeKeys.Ring("node-1", _all))).Failure);
        Assert.Equal("unknown_key", Assert.Single(host.Rejected));
    }

    [Fact]
    public async Task Without_a_secret_nobody_gets_in_by_one()
    {
        await using var host = await HeartbeatHost.StartAsync(NodeKeys.Ring("node-2", _all));

        Assert.Equal(ExchangeFailure.Unauthorized, (await SendAsync(host, Rings.Old)).Failure);
        Assert.Equal(ExchangeFailure.Unauthorized, (await SendAsync(host, Rings.Unsigned)).Failure);
        Assert.Equal(["unknown_key", "unsigned"], host.Rejected);
    }

    /// <summary>The steps of docs/operations.md: whatever step one node has taken, a neighbour one step behind or ahead understands it.</summary>
    [Fact]
    public async Task Three_rolls_replace_a_secret_by_node_keys_while_neighbours_always_understand_each_other()
    {
        Func<string, KeyRing>[] steps =
        [
            _ => Rings.Old,
            _ => NodeKeys.Ring(null, _all, Rings.OldSecret),
            id => NodeKeys.Ring(id, _all, Rings.OldSecret),
            id => NodeKeys.Ring(id, _all),
        ];
        for (var i = 1; i < steps.Length; i++)
        {
            foreach (var (sender, receiver) in new[] { (i - 1, i), (i, i - 1), (i, i) })
            {
                await using var host = await HeartbeatHost.StartAsync(steps[receiver]("node-2"));
                Assert.Equal(BeatExchange.Answered(Beats.Reply()), await SendAsync(host, steps[sender]("node-1")));
            }
        }
    }

    [Fact]
    public async Task A_node_may_have_two_keys_while_it_changes_from_one_to_the_other()
    {
        var options = new HaOptions { NodeId = "node-2", NodeKey = NodeKeys.PrivateOf("node-2") };
        options.PeerKeys.Add(NodeKeys.EntryOf("node-1"));
        options.PeerKeys.Add(NodeKeys.EntryOf("node-1 of tomorrow").Replace(" of tomorrow", "", StringComparison.Ordinal));
        await using var host = await HeartbeatHost.StartAsync(Rings.Of(options));

        var tomorrow = new HaOptions { NodeId = "node-1", NodeKey = NodeKeys.PrivateOf("node-1 of tomorrow") };
        tomorrow.PeerKeys.Add(NodeKeys.EntryOf("node-2"));

        Assert.Equal(ExchangeFailure.None, (await SendAsync(host, NodeKeys.Ring("node-1", _all))).Failure);
        Assert.Equal(ExchangeFailure.None, (await SendAsync(host, Rings.Of(tomorrow))).Failure);
    }
}
