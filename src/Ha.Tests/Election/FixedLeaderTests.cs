using Ha.Election;

namespace Ha.Tests.Election;

/// <summary>Two modes side by side: a fixed leader needs no lease, so nobody may lead by one beside it.</summary>
public class FixedLeaderTests
{
    private readonly Cores _cores = new(majority: true, awaitFloor: false, "a", "b", "c");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Nobody_is_elected_while_a_member_has_a_fixed_leader_and_somebody_is_afterwards(bool verified)
    {
        _cores.SetFixedLeader("a", verified);
        _cores.Run(20 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Empty(_cores.Leaders);

        _cores.Restart("a");
        _cores.SetFixedLeader("a", verified: null);
        _cores.Run(20 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Single(_cores.Leaders);
    }

    [Fact]
    public void A_leader_that_meets_one_gives_up_when_a_key_vouches_for_it()
    {
        _cores.Run(1_000_000);
        Assert.Equal(["a"], _cores.Leaders);

        _cores.SetFixedLeader("c", verified: true);
        _cores.Run(2 * Cores.Interval, () => _cores["a"].GateClosed);

        // A writer may still be inside: nothing is released before it is out.
        Assert.Equal((true, true), (_cores["a"].GateClosed, _cores["a"].IsLeaderAt(_cores.Now)));
        _cores["a"].CompleteDrain(_cores.Now);
        Assert.Empty(_cores.Leaders);
        Assert.Contains(
            _cores["a"].TakeEvents(), e => e is { Kind: ElectionEventKind.LeadershipReleased, Node: null, Why: "handed over (a member has a fixed leader)" });
        Assert.Contains("nobody is elected beside one", Why("a"), StringComparison.Ordinal);
        _cores.Run(20 * Cores.Lease, () => _cores.Leaders.Length > 0);
        Assert.Empty(_cores.Leaders);
    }

    private string? Why(string node)
    {
        _cores.Run(2 * Cores.Interval);
        return _cores[node].WhyNobodyLeads;
    }

    [Fact]
    public void What_no_key_vouches_for_changes_nothing_once_the_member_was_heard()
    {
        _cores.Run(1_000_000);
        var epoch = _cores["a"].Epoch;

        _cores.SetFixedLeader("c", verified: false);
        _cores.Run(20 * Cores.Lease);
        Assert.Equal((true, epoch), (_cores["a"].IsLeaderAt(_cores.Now), _cores["a"].Epoch));
    }

    [Fact]
    public void A_node_that_meets_itself_under_another_url_says_so()
    {
        var beat = _cores.Beat("a", "b");
        var itself = _cores.Take("b", beat) with { From = beat.From };
        _cores.TakeReply("a", "b", itself);

        Assert.Contains(
            _cores["a"].TakeEvents(),
            e => e is { Kind: ElectionEventKind.ConfigMismatch, Node: "a", Why: "http://b is this node itself, which calls itself http://a" });
    }
}
