using Ha.Cli;
using Ha.Cli.Nodes;
using Ha.Endpoints;

namespace Ha.Tests.Cli;

/// <summary>What the answers of several nodes come to.</summary>
public sealed class ClusterStatusTests
{
    [Theory]
    [InlineData("majority", 5, "down")]
    [InlineData("off", 5, "down")]
    [InlineData("store", 5, "down")]
    [InlineData("static", 0, "not asked")]
    [InlineData("provider", 0, "not asked")]
    public void A_leader_that_nobody_hears_is_down_only_where_somebody_would(string quorum, int code, string state)
    {
        var status = ClusterStatus.Of([Answer("http://b", "b", "a", quorum, ("a", "http://a"))]);
        Assert.Equal(((ExitCode)code, "a", "http://a"), (status.ExitCode, status.Leader, status.LeaderUrl));
        Assert.Equal(state, status.Nodes.Single(row => row.NodeId == "a").State);
    }

    [Fact]
    public void A_leader_that_is_known_by_its_URL_only_is_found_by_it()
    {
        var status = ClusterStatus.Of([Answer("http://b", "b", "http://a", "static", ("", "http://a"))]);
        Assert.Equal(("http://a", "http://a", ExitCode.Done), (status.Leader, status.LeaderUrl, status.ExitCode));
    }

    [Theory]
    [InlineData("http://a:1", "http://a:2")]
    [InlineData("http://a:2", "http://a:1")]
    public void Of_two_URLs_of_the_leader_the_one_that_answers_is_used(string silent, string answers)
    {
        var status = ClusterStatus.Of(
        [
            new NodeAnswer(silent) { Trouble = new Trouble(ExitCode.NotReachable, "Connection refused") },
            Answer(answers, "a", "a", "majority", ("b", "http://b")),
            Answer("http://b", "b", "a", "majority", ("a", silent)),
        ]);
        Assert.Equal((answers, ExitCode.SomeSilent), (status.LeaderUrl, status.ExitCode));
        Assert.Equal(answers, status.RowOf("a")!.Url);
    }

    [Theory]
    [InlineData(ExitCode.NoSuchRoute, ExitCode.SomeSilent)]
    [InlineData(ExitCode.Failed, ExitCode.SomeSilent)]
    [InlineData(ExitCode.NotReachable, ExitCode.SomeSilent)]
    [InlineData(ExitCode.WrongToken, ExitCode.WrongToken)]
    internal void What_is_no_node_is_a_member_that_does_not_answer_as_long_as_another_one_does(ExitCode one, ExitCode expected)
    {
        var other = new NodeAnswer("http://x") { Trouble = new Trouble(one, "x") };
        Assert.Equal(expected, ClusterStatus.Of([Answer("http://a", "a", "a", "majority"), other]).ExitCode);
        Assert.Equal(one, ClusterStatus.Of([other]).ExitCode);
    }

    [Fact]
    public void A_leader_without_a_URL_has_none() =>
        Assert.Null(ClusterStatus.Of([Answer("http://b", "b", "a", "provider", ("a", ""))]).LeaderUrl);

    /// <summary>Of a node that hears none of the others.</summary>
    private static NodeAnswer Answer(string url, string id, string leader, string quorum, params (string Id, string Target)[] others)
    {
        var self = Member(id, url, isSelf: true);
        return new NodeAnswer(url)
        {
            Leader = new LeaderAnswer("", leader, 7, 7, LeaseExpires: null, 900, IsSelf: id == leader, quorum),
            Self = self,
            Members = [self, .. others.Select(other => Member(other.Id, other.Target, isSelf: false))],
        };
    }

    private static PeerAnswer Member(string id, string target, bool isSelf) => new(
        id, target, Up: isSelf, 0, LastSeen: null, IsLeader: false, isSelf, "follower",
        ConfigMismatch: null, Paused: false, Unhealthy: false);
}
