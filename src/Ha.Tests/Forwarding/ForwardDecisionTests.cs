using Ha.Forwarding;
using Ha.Http;

namespace Ha.Tests.Forwarding;

public sealed class ForwardDecisionTests
{
    private static readonly ForwardPolicy _redirecting = new(ForwardMode.Redirect, AllowOverride: false);
    private static readonly ForwardPolicy _proxying = _redirecting with { Mode = ForwardMode.Proxy };
    private static readonly RequestFacts _post = new() { Method = "POST", Path = "/notes" };

    [Theory]
    [InlineData("POST", true)]
    [InlineData("PUT", true)]
    [InlineData("PATCH", true)]
    [InlineData("DELETE", true)]
    [InlineData("MERGE", true)]
    [InlineData("post", true)]
    [InlineData("GET", false)]
    [InlineData("get", false)]
    [InlineData("HEAD", false)]
    [InlineData("OPTIONS", false)]
    [InlineData("TRACE", false)]
    [InlineData("QUERY", false)]
    [InlineData("CONNECT", false)]
    public void Only_writes_are_kept_from_a_follower(string method, bool write)
    {
        var outcome = Decide(_post with { Method = method }, Follower());

        Assert.Equal(write ? ForwardOutcome.Redirect : ForwardOutcome.Pass, outcome);
    }

    [Theory]
    [InlineData("/_ha", ForwardOutcome.Pass)]
    [InlineData("/_ha/heartbeat", ForwardOutcome.Pass)]
    [InlineData("/grpc.health.v1.Health/Check", ForwardOutcome.Pass)]
    [InlineData("/_HA/heartbeat", ForwardOutcome.Redirect)]
    [InlineData("/_harvest", ForwardOutcome.Redirect)]
    [InlineData("/grpc.health.v1.HealthX/Check", ForwardOutcome.Redirect)]
    public void Own_routes_are_never_forwarded_and_nothing_else_looks_like_them(string path, object expected) =>
        Assert.Equal(expected, Decide(_post with { Path = path }, Follower()));

    [Fact]
    public void An_endpoint_decides_before_the_method()
    {
        Assert.Equal(ForwardOutcome.Pass, Decide(_post with { Choice = NodeChoice.AnyNode }, Follower()));
        Assert.Equal(ForwardOutcome.Redirect, Decide(_post with { Method = "GET", Choice = NodeChoice.LeaderOnly }, Follower()));
    }

    [Fact]
    public void A_read_that_needs_the_leader_for_its_position_is_proxied_in_either_mode()
    {
        var read = _post with { Method = "GET", Choice = NodeChoice.LeaderOnly, ReadPatience = TimeSpan.Zero };
        var asking = _redirecting with { AllowOverride = true };

        Assert.Equal(ForwardOutcome.Proxy, ForwardDecision.Decide(read, Follower(), _redirecting));
        Assert.Equal(ForwardOutcome.Proxy, ForwardDecision.Decide(read with { Override = "redirect" }, Follower(), asking));
        Assert.Equal(ForwardOutcome.Redirect, ForwardDecision.Decide(read with { NeverProxy = true }, Follower(), _proxying));
    }

    [Fact]
    public void The_leader_runs_a_write_whoever_sent_it()
    {
        Assert.Equal(ForwardOutcome.RunHere, Decide(_post, Leader()));
        Assert.Equal(ForwardOutcome.RunHere, Decide(_post with { Forwarded = true }, Leader()));
    }

    [Fact]
    public void The_leader_does_not_run_what_its_own_handler_has_refused() =>
        Assert.Equal(ForwardOutcome.RefuseSecondRun, Decide(_post with { RefusedHere = true }, Leader()));

    [Fact]
    public void A_leader_that_admits_no_writes_holds_them()
    {
        using var leadership = new FakeLeadership("me").Lead(admits: false);

        Assert.Equal(ForwardOutcome.Hold, Decide(_post, leadership.Current));
    }

    [Fact]
    public void A_leader_whose_lease_ran_out_holds_them()
    {
        using var leadership = new FakeLeadership("me").Lead(lease: TimeSpan.FromSeconds(-1));

        Assert.Equal(ForwardOutcome.Hold, Decide(_post, leadership.Current));
    }

    [Fact]
    public void Without_a_leader_a_write_is_held()
    {
        using var leadership = new FakeLeadership("me");

        Assert.Equal(ForwardOutcome.Hold, Decide(_post, leadership.Current));
    }

    [Fact]
    public void A_rumour_that_this_node_leads_does_not_send_it_to_itself()
    {
        using var leadership = new FakeLeadership("me").Follow("http://me", leaderId: "me");

        Assert.Equal(ForwardOutcome.Hold, Decide(_post, leadership.Current));
    }

    [Fact]
    public void A_forwarded_write_gets_no_second_hop_with_or_without_a_leader()
    {
        using var nobody = new FakeLeadership("me");

        Assert.Equal(ForwardOutcome.RefuseSecondHop, Decide(_post with { Forwarded = true }, Follower()));
        Assert.Equal(ForwardOutcome.RefuseSecondHop, Decide(_post with { Forwarded = true }, nobody.Current));
    }

    [Fact]
    public void A_forwarded_write_waits_at_a_new_leader_for_its_fence()
    {
        using var leadership = new FakeLeadership("me").AwaitFence();

        Assert.Equal(ForwardOutcome.Hold, Decide(_post with { Forwarded = true }, leadership.Current));
    }

    [Fact]
    public void What_follows_no_redirects_is_always_proxied()
    {
        Assert.Equal(ForwardOutcome.Proxy, Decide(_post with { Grpc = true }, Follower()));
        var upgrade = _post with { Method = "GET", Choice = NodeChoice.LeaderOnly, Upgrade = true };
        Assert.Equal(ForwardOutcome.Proxy, Decide(upgrade, Follower()));
    }

    [Fact]
    public void A_socket_over_http2_is_refused_unless_it_can_run_here()
    {
        var socket = new RequestFacts { Method = "CONNECT", Path = "/hub", Choice = NodeChoice.LeaderOnly, ExtendedConnect = true };
        using var nobody = new FakeLeadership("me");

        Assert.Equal(ForwardOutcome.RefuseExtendedConnect, Decide(socket, Follower()));
        Assert.Equal(ForwardOutcome.RefuseExtendedConnect, Decide(socket, nobody.Current));
        Assert.Equal(ForwardOutcome.RunHere, Decide(socket, Leader()));
        Assert.Equal(ForwardOutcome.Pass, Decide(socket with { Choice = NodeChoice.ByMethod }, Follower()));
    }

    [Theory]
    [InlineData("proxy", true, ForwardOutcome.Proxy)]
    [InlineData("PROXY", true, ForwardOutcome.Proxy)]
    [InlineData("redirect", true, ForwardOutcome.Redirect)]
    [InlineData("teleport", true, ForwardOutcome.Redirect)]
    [InlineData("proxy", false, ForwardOutcome.Redirect)]
    public void A_request_chooses_only_where_the_options_let_it(string wish, bool allowed, object expected) =>
        Assert.Equal(
            expected, ForwardDecision.Decide(_post with { Override = wish }, Follower(), _redirecting with { AllowOverride = allowed }));

    [Fact]
    public void In_proxy_mode_a_request_may_ask_for_a_redirect()
    {
        Assert.Equal(ForwardOutcome.Proxy, ForwardDecision.Decide(_post, Follower(), _proxying));
        Assert.Equal(
            ForwardOutcome.Redirect,
            ForwardDecision.Decide(_post with { Override = "redirect" }, Follower(), _proxying with { AllowOverride = true }));
    }

    private static ForwardOutcome Decide(RequestFacts facts, LeadershipSnapshot leadership) =>
        ForwardDecision.Decide(facts, leadership, _redirecting);

    private static LeadershipSnapshot Follower()
    {
        using var leadership = new FakeLeadership("me").Follow("http://leader");
        return leadership.Current;
    }

    private static LeadershipSnapshot Leader()
    {
        using var leadership = new FakeLeadership("me").Lead();
        return leadership.Current;
    }
}
