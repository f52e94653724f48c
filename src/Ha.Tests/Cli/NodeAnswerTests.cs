using Ha.Cli;
using Ha.Cli.Nodes;
using Ha.Security;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Cli;

/// <summary>What <c>ha</c> makes of nodes that are alone, closed, gone wrong, or no nodes, and whom it gives the token.</summary>
public sealed class NodeAnswerTests
{
    [Fact]
    public async Task A_closed_node_behind_TLS_is_shown_to_those_with_authority_and_token()
    {
        using var authority = new TestAuthority();
        await using var cluster = new KestrelCluster(["a"], [("BASE_ADMIN_TOKEN", CommandRun.Token), ("BASE_PUBLIC_INFO", "false")], authority: authority);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        var own = authority.Issue("operator");
        (string, string?)[] client = [("BASE_CLIENT_CERT_FILE", own.File), ("BASE_CLIENT_KEY_FILE", own.KeyFile)];
        string[] status = ["status", "--url", cluster.Leader.Url];

        var distrusted = (await CommandRun.RunAsync(client, status)).Ended(ExitCode.NotReachable);
        Assert.Contains("an authority that is not trusted here; name that authority's file with --ca", distrusted.Output, StringComparison.Ordinal);

        var clear = (await CommandRun.RunAsync(client, "status", "--url", cluster.Leader.Url.Replace("https:", "http:", StringComparison.Ordinal))).Ended(ExitCode.NotReachable);
        Assert.Contains("https://", clear.Output, StringComparison.Ordinal);

        string[] trusting = [.. status, "--ca", authority.File];
        var unknown = (await CommandRun.RunAsync(client, trusting)).Ended(ExitCode.WrongToken);
        Assert.Contains("wrong token", unknown.Output, StringComparison.Ordinal);
        Assert.Contains("--token-file", unknown.Output, StringComparison.Ordinal);
        (await CommandRun.RunAsync(client, [.. trusting, "--token-file", authority.Write("wrong", "another-token-of-the-tests")])).Ended(ExitCode.WrongToken);
        (await CommandRun.RunAsync(client, ["wait", "--leader", .. trusting[1..]])).Ended(ExitCode.WrongToken);

        var unreadable = (await CommandRun.RunAsync([.. client, ("BASE_ADMIN_TOKEN_FILE", "./no.txt")], trusting)).Ended(ExitCode.WrongToken);
        Assert.Contains(
            "it wants the admin token, but BASE_ADMIN_TOKEN_FILE (./no.txt) names a file that does not exist", unreadable.Output, StringComparison.Ordinal);

        var file = authority.Write("token", $"{CommandRun.Token}\n");
        var shown = (await CommandRun.RunAsync(client, [.. trusting, "--token-file", file])).Ended(ExitCode.Done);
        Assert.Matches(@"\na +leader ", shown.Output);
        (await CommandRun.RunAsync([.. client, ("BASE_ADMIN_TOKEN_FILE", file), ("BASE_CA_FILE", authority.File)], status)).Ended(ExitCode.Done);
        (await CommandRun.RunAsync(client, ["wait", "--ready", .. trusting[1..]])).Ended(ExitCode.Done);
    }

    [Fact]
    public async Task A_node_without_an_admin_token_has_no_such_route()
    {
        await using var cluster = new KestrelCluster(["a"]);
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        foreach (var command in new string[][] { ["step-down"], ["pause", "--node", "a"], ["resume", "--node", "a"] })
        {
            var run = (await CommandRun.WithTokenAsync([.. command, "--url", cluster.Leader.Url])).Ended(ExitCode.NoSuchRoute);
            Assert.Contains("BASE_ADMIN_TOKEN is not set there", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task No_leader_and_two_leaders_are_no_cluster_to_work_with()
    {
        await using var waiting = await FakeNode.StartAsync("a", leader: null);
        var nobody = (await CommandRun.RunAsync([], "status", "--url", waiting.Url)).Ended(ExitCode.NoLeader);
        Assert.Contains("no leader; 1 of 1 nodes answer", nobody.Output, StringComparison.Ordinal);
        (await CommandRun.WithTokenAsync("step-down", "--url", waiting.Url)).Ended(ExitCode.NoLeader);

        await using var one = await FakeNode.StartAsync("a", leader: "a", epoch: 7);
        await using var other = await FakeNode.StartAsync("b", leader: "b", epoch: 8);
        var both = (await CommandRun.RunAsync([], "status", "--url", $"{one.Url},{other.Url}")).Ended(ExitCode.NoLeader);
        Assert.Contains("a and b say that they lead", both.Output, StringComparison.Ordinal);
        (await CommandRun.RunAsync([], "wait", "--leader", "--timeout", "300ms", "--url", $"{one.Url},{other.Url}")).Ended(ExitCode.TimedOut);
    }

    [Fact]
    public async Task Why_nobody_leads_is_shown_by_the_word_of_each_node()
    {
        await using var cluster = new KestrelCluster(["a", "b"], [("BASE_QUORUM", "majority")]);
        var (waiting, silent) = (cluster.Nodes[0], cluster.Nodes[1]);
        await waiting.App.StartAsync();
        var why = "this node reaches 1 of 2 members, itself included, and a leader needs 2; ";
        await Eventually.True(() => waiting.Provider.Current.WhyNobodyLeads?.StartsWith(why, StringComparison.Ordinal) == true);

        string[] status = ["status", "--url", waiting.Url];
        var table = (await CommandRun.RunAsync([], status)).Ended(ExitCode.NoLeader);
        Assert.Contains($"\nno leader; 1 of 1 nodes answer\n  a: {why}", table.Output, StringComparison.Ordinal);
        var nodes = (await CommandRun.RunAsync([], [.. status, "--json"])).Ended(ExitCode.NoLeader).Json["nodes"]!.AsArray();
        var told = nodes.Single(node => node!["why_nobody_leads"] is not null)!;
        Assert.Equal("a", (string?)told["node_id"]);
        Assert.StartsWith(why, (string?)told["why_nobody_leads"], StringComparison.Ordinal);
        var wait = (await CommandRun.RunAsync([], "wait", "--leader", "--timeout", "300ms", "--url", waiting.Url)).Ended(ExitCode.TimedOut);
        Assert.StartsWith($"After 300ms: no leader.\n  a: {why}", wait.Error, StringComparison.Ordinal);

        await silent.App.StartAsync();
        await cluster.HasLeaderAsync("a");
        var led = (await CommandRun.RunAsync([], status)).Ended(ExitCode.Done);
        Assert.EndsWith("; 1 of 1 nodes answer\n", led.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handoff_that_does_not_end_is_not_waited_for_for_ever()
    {
        await using var stays = await FakeNode.StartAsync("a", leader: "a");
        foreach (var command in new string[][] { ["step-down"], ["pause", "--node", "a"] })
        {
            var run = (await CommandRun.WithTokenAsync([.. command, "--timeout", "300ms", "--url", stays.Url])).Ended(ExitCode.TimedOut);
            Assert.Equal("After 300ms: a leads in epoch 7.\n", run.Error);
        }
    }

    [Theory]
    [InlineData("not leader", "b", 0, 2)]
    [InlineData("not leader", "a", 1, 2)]
    [InlineData("a handoff is already running", "b", 6, 1)]
    public async Task A_step_down_that_meets_a_handoff_waits_for_its_end_or_says_so(string refusal, string next, int expected, int posts)
    {
        var (asked, looks) = (0, 0);
        await using var node = await FakeNode.StartAsync(context =>
        {
            if (HttpMethods.IsPost(context.Request.Method) && ++asked == 1)
            {
                context.Response.StatusCode = 409;
                return context.Response.WriteAsJsonAsync(new { error = refusal });
            }

            // Between two leaders there is none for a moment.
            var isLook = context.Request.Path == "/_ha/leader" && asked == 1;
            var (leader, epoch) = asked == 0 ? ("a", 7) : asked > 1 ? (next, 9) : isLook && ++looks > 1 ? ("a", 8) : ((string?)null, 0);
            return FakeNode.AnswerAsync(context, "a", leader, epoch);
        });
        (await CommandRun.WithTokenAsync("step-down", "--url", node.Url)).Ended((ExitCode)expected);
        Assert.Equal(posts, asked);
    }

    [Theory]
    [InlineData(200, "<html>", 1)]
    [InlineData(200, "null", 1)]
    [InlineData(200, "[{}]", 1)]
    [InlineData(204, "", 1)]
    [InlineData(404, "", 8)]
    [InlineData(500, "", 1)]
    [InlineData(200, "[]", 1, "application/json; charset=nonsense")]
    public async Task What_is_no_node_is_not_taken_for_one(int status, string body, int expected, string type = "application/json")
    {
        await using var server = await FakeNode.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = type;
            return context.Response.WriteAsync(body);
        });
        var run = (await CommandRun.RunAsync([], "status", "--url", server.Url)).Ended((ExitCode)expected);
        Assert.Contains("no answer of a node", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_without_TLS_is_said_to_be_one()
    {
        await using var node = await FakeNode.StartAsync("a", leader: "a");
        var run = (await CommandRun.RunAsync([], "status", "--url", node.Url.Replace("http:", "https:", StringComparison.Ordinal))).Ended(ExitCode.NotReachable);
        Assert.Contains("it speaks no TLS at that port; write http:// there", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_never_answers_is_given_up()
    {
        await using var server = await FakeNode.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var run = (await CommandRun.RunAsync([], "status", "--url", server.Url)).Ended(ExitCode.NotReachable);
        Assert.Contains("no answer within 2.0 s", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_last_look_sees_counts_although_it_ends_late(bool seen)
    {
        var clock = new FakeTimeProvider();
        var (second, answer) = (new TaskCompletionSource(), new TaskCompletionSource<bool>());
        var looks = 0;
        var polling = Target.PollAsync(LookAsync, found => found, TimeSpan.FromSeconds(1), clock, CancellationToken.None);
        clock.Advance(TimeSpan.FromMilliseconds(200));
        await second.Task;
        clock.Advance(TimeSpan.FromSeconds(2));
        answer.SetResult(seen);
        Assert.Equal((seen, seen), await polling);
        Assert.Equal(2, looks);

        Task<bool> LookAsync(CancellationToken token)
        {
            if (++looks == 1)
            {
                return Task.FromResult(false);
            }

            second.SetResult();
            return answer.Task.WaitAsync(token);
        }
    }

    [Fact]
    public async Task A_fixed_leader_is_no_alarm_and_does_not_hand_over()
    {
        await using var cluster = new KestrelCluster(
            ["a", "b"],
            [("BASE_ADMIN_TOKEN", CommandRun.Token)],
            builder => builder.Configuration["BASE_STATIC_LEADER"] = builder.Configuration["BASE_PEERS"]!.Split(',')[0]);
        await cluster.StartAsync();
        var (leader, follower) = (cluster.Nodes[0].Url, cluster.Nodes[1].Url);

        var alone = (await CommandRun.RunAsync([], "status", "--json", "--url", follower)).Ended(ExitCode.Done).Json;
        Assert.Equal((leader, "static"), ((string?)alone["leader_url"], (string?)alone["quorum"]));
        (await CommandRun.RunAsync([], "status", "--url", leader, "--url", follower)).Ended(ExitCode.Done);
        foreach (var asked in (string[])[leader, follower])
        {
            var run = (await CommandRun.WithTokenAsync("step-down", "--url", asked)).Ended(ExitCode.Refused);
            Assert.EndsWith($" ({leader}): this node's leader is fixed, or its provider takes no such orders.\n", run.Error, StringComparison.Ordinal);
        }

        await cluster.Nodes[0].StopAsync();
        (await CommandRun.RunAsync([], "status", "--url", leader, "--url", follower)).Ended(ExitCode.SomeSilent);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("http://[")]
    public async Task A_leader_without_a_usable_URL_is_not_sent_the_token(string url)
    {
        await using var follower = await FakeNode.StartAsync("b", leader: "a", epoch: 7, ("a", url));
        foreach (var command in new string[][] { ["step-down"], ["pause", "--node", "a"] })
        {
            var run = (await CommandRun.WithTokenAsync([.. command, "--url", follower.Url])).Ended(ExitCode.NotReachable);
            Assert.Equal("No node says at which URL a is reached; name it with --url.\n", run.Error);
        }

        Assert.DoesNotContain(follower.Seen, request => request.StartsWith("POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Control_characters_of_a_node_do_not_reach_the_terminal()
    {
        await using var server = await FakeNode.StartAsync("a\\u001b[2J", leader: null);
        var run = (await CommandRun.RunAsync([], "status", "--url", server.Url)).Ended(ExitCode.NoLeader);
        Assert.Contains("a?[2J", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_token_goes_to_the_leader_alone_and_not_after_a_redirect()
    {
        await using var leader = await FakeNode.StartAsync(context =>
        {
            context.Response.StatusCode = 307;
            context.Response.Headers.Location = "http://127.0.0.1:9/_ha/step-down";
            return Task.CompletedTask;
        });
        await using var follower = await FakeNode.StartAsync("b", leader: "a", epoch: 7, ("a", leader.Url));
        var run = (await CommandRun.WithTokenAsync("step-down", "--url", follower.Url)).Ended(ExitCode.Failed);
        Assert.Equal($"a ({leader.Url}): it answers 307, and redirects are not followed.\n", run.Error);
        Assert.Equal([$"POST /_ha/step-down Bearer {CommandRun.Token}"], leader.Seen);
        Assert.All(follower.Seen, request => Assert.DoesNotContain("Bearer", request, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_token_does_not_leave_TLS_on_the_word_of_a_node()
    {
        await using var elsewhere = await FakeNode.StartAsync("b", leader: "b");
        var row = NodeRow.Of(new Member(elsewhere.Url, "b", [], IsHeard: true));
        using var secure = new Target(["https://127.0.0.1:9"], CommandRun.Token, TlsMaterial.None);
        var refusal = await Assert.ThrowsAsync<CommandException>(() => secure.PostAsync(row, "/_ha/pause", null, default));
        Assert.Equal(ExitCode.NotReachable, refusal.Code);
        Assert.Empty(elsewhere.Seen);

        using var plain = new Target(["http://127.0.0.1:9"], CommandRun.Token, TlsMaterial.None);
        Assert.Null((await plain.PostAsync(row, "/_ha/pause", null, default)).Trouble);
    }

    [Theory]
    [InlineData("--url (node-1:8080) has no scheme", "status", "--url", "node-1:8080")]
    [InlineData("--url (http://n/p) has something after", "watch", "--url", "http://n/p")]
    [InlineData("--url (http://***@n) carries a user name or password", "wait", "--leader", "--url", "http://u:pass@n")]
    [InlineData("--url or BASE_PEERS", "status")]
    [InlineData("--ca (./no.pem) names a file that does not exist", "status", "--url", "http://n", "--ca", "./no.pem")]
    [InlineData("--token-file (./no.txt) names a file that does not exist", "status", "--url", "http://n", "--token-file", "./no.txt")]
    [InlineData("--ca (no.pem) names a file that does not exist", "watch", "--url", "http://n", "--ca", "no.pem")]
    [InlineData("--token-file (keys/no.txt) names a file that does not exist", "step-down", "--url", "http://n", "--token-file", "keys/no.txt")]
    [InlineData("'soon' is not a duration", "wait", "--leader", "--url", "http://n", "--timeout", "soon")]
    [InlineData("'0.1ms' is less than 1ms", "watch", "--url", "http://n", "--interval", "0.1ms")]
    [InlineData("'2000h' is more than 720h", "step-down", "--url", "http://n", "--timeout", "2000h")]
    [InlineData("Wait for what?", "wait", "--url", "http://n")]
    [InlineData("--node", "pause", "--url", "http://n")]
    [InlineData("Unrecognized", "status", "--url", "http://n", "--token", "x")]
    public async Task A_wrong_command_line_is_named(string expected, params string[] arguments)
    {
        var run = (await CommandRun.RunAsync([], arguments)).Ended(ExitCode.WrongUsage);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("pass@", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Theory]
    [InlineData("BASE_PEERS (n:1) has no scheme", "BASE_PEERS", "n:1")]
    [InlineData("are both set; remove one of them", "BASE_ADMIN_TOKEN_FILE", "/token", "BASE_ADMIN_TOKEN", "the-token")]
    [InlineData("must be printable ASCII without spaces", "BASE_ADMIN_TOKEN", "the token")]
    [InlineData("is shorter than 16 characters", "BASE_ADMIN_TOKEN", "the-token")]
    public async Task A_wrong_environment_is_named(string expected, params string[] variables)
    {
        (string, string?)[] nodes = variables[0] is "BASE_PEERS" ? [] : [("BASE_PEERS", "http://n")];
        var run = (await CommandRun.RunAsync([.. nodes, .. variables.Chunk(2).Select(pair => (pair[0], (string?)pair[1]))], "step-down"))
            .Ended(ExitCode.WrongUsage);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("the token", run.Error, StringComparison.Ordinal);
    }
}
