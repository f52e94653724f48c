using System.Diagnostics;
using System.Text.RegularExpressions;
using Ha.Cli;
using Ha.Cli.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.Cli;

/// <summary>What <c>ha</c> asks of real nodes.</summary>
public sealed class NodeCommandTests(OperatedCluster cluster) : IClassFixture<OperatedCluster>
{
    [Fact]
    public async Task Status_shows_every_node_and_who_leads()
    {
        var run = (await CommandRun.RunAsync([("BASE_PEERS", cluster.Urls)], "status")).Ended(ExitCode.Done);
        Assert.Matches(@"^NODE +STATE +EPOCH +LEASE +URL\n", run.Output);
        Assert.Matches($@"\n{cluster.Leader.Id} +leader +\d+ +[\d.]+ m?s +{cluster.Leader.Url}\n", run.Output);
        Assert.All(cluster.Followers, node => Assert.Matches($@"\n{node.Id} +follower +\d+ +{node.Url}\n", run.Output));
        Assert.EndsWith($"\n\n{cluster.Leader.Id} leads in epoch {cluster.Leader.Provider.Current.Epoch}; 3 of 3 nodes answer\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_as_JSON_has_what_is_documented()
    {
        var json = (await CommandRun.RunAsync([], "status", "--json", "--url", cluster.Urls)).Ended(ExitCode.Done).Json;
        Assert.Equal(["leader", "leader_url", "epoch", "lease_remaining_ms", "quorum", "exit_code", "nodes"], json.AsObject().Select(member => member.Key));
        Assert.Equal(cluster.Leader.Id, (string?)json["leader"]);
        Assert.Equal(cluster.Leader.Url, (string?)json["leader_url"]);
        Assert.Equal(cluster.Leader.Provider.Current.Epoch, (long)json["epoch"]!);
        Assert.InRange((long)json["lease_remaining_ms"]!, 1, 2000);
        Assert.Equal("majority", (string?)json["quorum"]);
        Assert.Equal(0, (int)json["exit_code"]!);
        var nodes = json["nodes"]!.AsArray();
        Assert.Equal(["a", "b", "c"], nodes.Select(node => (string)node!["node_id"]!));
        Assert.Equal(
            ["node_id", "url", "answers", "up", "leads", "role", "epoch", "lease_remaining_ms", "paused", "unhealthy", "config_mismatch", "error", "why_nobody_leads"],
            nodes[0]!.AsObject().Select(member => member.Key));
    }

    [Fact]
    public async Task Status_asks_the_nodes_it_is_given_and_tells_of_the_others()
    {
        var url = cluster.Followers[0].Url;
        var json = (await CommandRun.RunAsync([], "status", "--json", "--url", url)).Ended(ExitCode.Done).Json;
        Assert.Equal(cluster.Leader.Id, (string?)json["leader"]);
        var nodes = json["nodes"]!.AsArray();
        Assert.Equal(3, nodes.Count);
        Assert.All(nodes, node => Assert.Equal((string?)node!["url"] == url ? true : null, (bool?)node["answers"]));
    }

    [Fact]
    public async Task Status_with_a_node_that_is_down_says_which_and_why()
    {
        var run = (await CommandRun.RunAsync([], "status", "--url", cluster.Urls, "--url", cluster.SilentUrl)).Ended(ExitCode.SomeSilent);
        Assert.Matches($@"\n\? +not answering +{cluster.SilentUrl} +Connection refused\n", run.Output);
        Assert.Contains("; 3 of 4 nodes answer\n", run.Output, StringComparison.Ordinal);
        (await CommandRun.RunAsync([], "status", "--url", cluster.SilentUrl)).Ended(ExitCode.NotReachable);
    }

    [Fact]
    public async Task A_step_down_asked_at_followers_goes_to_the_leader()
    {
        var (old, asked) = (cluster.Leader, cluster.Followers);
        var run = (await CommandRun.WithTokenAsync("step-down", "--url", $"{asked[0].Url},{cluster.SilentUrl}", "--to", asked[1].Id)).Ended(ExitCode.Done);
        Assert.Matches($@"^{old.Id} hands over to {asked[1].Id}\.\n{asked[1].Id} leads in epoch \d+\.\n$", run.Output);
        Assert.Equal(asked[1], cluster.Leader);
        await cluster.SettledAsync(asked[1].Id);
    }

    [Fact]
    public async Task A_step_down_to_nobody_or_to_the_leader_is_refused()
    {
        var leader = cluster.Leader;
        var refusal = $"{leader.Id} ({leader.Url}): target not eligible: ";
        var run = (await CommandRun.WithTokenAsync("step-down", "--url", cluster.Urls, "--to", "nobody")).Ended(ExitCode.Refused);
        Assert.Equal($"{refusal}there is no node nobody among a, b, c.\n", run.Error);
        run = (await CommandRun.WithTokenAsync("step-down", "--url", cluster.Urls, "--to", leader.Id)).Ended(ExitCode.Refused);
        Assert.Equal($"{refusal}{leader.Id} is the node that hands over.\n", run.Error);
        run = (await CommandRun.WithTokenAsync("pause", "--url", cluster.Urls, "--node", leader.Id, "--to", "nobody")).Ended(ExitCode.Refused);
        Assert.Equal($"{refusal}there is no node nobody among a, b, c.\n", run.Error);
    }

    [Fact]
    public async Task A_paused_leader_hands_over_and_is_shown_until_it_is_resumed()
    {
        var (old, other) = (cluster.Leader, cluster.Followers[0]);
        var paused = (await CommandRun.WithTokenAsync("pause", "--node", old.Id, "--url", other.Url)).Ended(ExitCode.Done);
        Assert.Matches($@"^{old.Id} is paused\.\n[abc] leads in epoch \d+\.\n$", paused.Output);
        Assert.NotEqual(old, cluster.Leader);
        var status = (await CommandRun.RunAsync([], "status", "--url", cluster.Urls)).Ended(ExitCode.Done);
        Assert.Matches($@"\n{old.Id} +follower +\d+ +{old.Url} +paused\n", status.Output);

        var resumed = (await CommandRun.WithTokenAsync("resume", "--node", old.Id, "--url", cluster.Urls)).Ended(ExitCode.Done);
        Assert.Equal($"{old.Id} is resumed.\n", resumed.Output);
        Assert.DoesNotContain("paused", (await CommandRun.RunAsync([], "status", "--url", old.Url)).Output, StringComparison.Ordinal);
        await cluster.SettledAsync(cluster.Leader.Id);
    }

    [Fact]
    public async Task A_node_that_is_not_there_is_told_from_one_that_may_be_down()
    {
        var wrong = (await CommandRun.WithTokenAsync("pause", "--node", "d", "--url", cluster.Urls)).Ended(ExitCode.WrongUsage);
        Assert.Equal("There is no node d, but a, b, c.\n", wrong.Error);
        var down = (await CommandRun.WithTokenAsync("pause", "--node", "d", "--url", $"{cluster.Urls},{cluster.SilentUrl}")).Ended(ExitCode.NotReachable);
        Assert.Equal($"No node says that it is d.\n  {cluster.SilentUrl}: Connection refused\n", down.Error);
    }

    [Theory]
    [InlineData("step-down")]
    [InlineData("pause", "--node", "b")]
    [InlineData("resume", "--node", "b")]
    public async Task Without_the_right_token_nothing_happens(params string[] command)
    {
        var leader = cluster.Leader;
        string[] arguments = [.. command, "--url", cluster.Urls];
        var missing = (await CommandRun.RunAsync([], arguments)).Ended(ExitCode.WrongToken);
        Assert.Contains("BASE_ADMIN_TOKEN", missing.Error, StringComparison.Ordinal);
        var wrong = (await CommandRun.RunAsync([("BASE_ADMIN_TOKEN", "another-token-of-the-tests")], arguments)).Ended(ExitCode.WrongToken);
        Assert.Contains("it does not take this admin token", wrong.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("another-token", wrong.Error, StringComparison.Ordinal);
        Assert.Equal(leader, cluster.Leader);
    }

    [Fact]
    public async Task Whoever_only_looks_needs_no_secret()
    {
        (string, string?)[] unreadable = [("BASE_PEERS", cluster.Urls), ("BASE_ADMIN_TOKEN_FILE", "./none"), ("BASE_CLIENT_CERT_FILE", "./none")];
        (await CommandRun.RunAsync(unreadable, "status")).Ended(ExitCode.Done);
        (await CommandRun.RunAsync(unreadable, "wait", "--leader", "--ready")).Ended(ExitCode.Done);
        var acting = (await CommandRun.RunAsync(unreadable, "step-down")).Ended(ExitCode.WrongUsage);
        Assert.Contains("BASE_ADMIN_TOKEN_FILE (./none) names a file", acting.Error, StringComparison.Ordinal);
        Assert.Contains("BASE_CLIENT_CERT_FILE (./none) names a file", acting.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wait_ends_when_there_is_a_leader_and_all_are_ready()
    {
        var run = (await CommandRun.RunAsync([], "wait", "--leader", "--ready", "--url", cluster.Urls)).Ended(ExitCode.Done);
        Assert.Matches(@"^All 3 nodes are ready\.\n[abc] leads in epoch \d+\.\n$", run.Output);
    }

    [Theory]
    [InlineData("--leader", "nobody says who leads")]
    [InlineData("--ready", "not all nodes are ready")]
    public async Task Wait_gives_up_and_says_what_was_missing(string what, string expected)
    {
        var run = (await CommandRun.RunAsync([], "wait", what, "--timeout", "300ms", "--url", cluster.SilentUrl)).Ended(ExitCode.TimedOut);
        Assert.Equal($"After 300ms: {expected}.\n  {cluster.SilentUrl}: Connection refused\n", run.Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_prints_a_line_for_each_change(bool json)
    {
        var lines = new LineWriter();
        using var ending = new CancellationTokenSource();
        string[] options = json ? ["--json"] : [];
        var watching = HaCommand.RunAsync(
            ["watch", "--interval", "20ms", "--url", cluster.Urls, .. options], CommandRun.Environment(), lines, TextWriter.Null, ending.Token);
        await Eventually.True(() => lines.Count == 1);
        var (old, next) = (cluster.Leader, cluster.Followers[0]);
        (await CommandRun.WithTokenAsync("step-down", "--to", next.Id, "--url", cluster.Urls)).Ended(ExitCode.Done);
        var moved = json ? $"\"leader\":\"{next.Id}\"" : $"  {next.Id} leads in epoch [0-9]+ · ";
        await Eventually.True(() => lines.Matches(moved));
        await ending.CancelAsync();
        Assert.Equal(0, await watching);
        Assert.True(lines.Matches(json ? $"\"leader\":\"{old.Id}\"" : $"  {old.Id} leads in epoch [0-9]+ · a (leader|follower) · b (leader|follower) · c "));
        await cluster.SettledAsync(next.Id);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_ends_with_its_reader_and_with_a_signal(bool signal)
    {
        var command = ChildProcess.Dotnet([typeof(ExitCode).Assembly.Location, "watch", "--json", "--url", cluster.Urls]);
        using var watching = new Process
        {
            StartInfo = new ProcessStartInfo(command[0], command.Skip(1)) { UseShellExecute = false, RedirectStandardOutput = true },
        };
        watching.Start();
        try
        {
            Assert.StartsWith("{\"leader\":", await watching.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
            if (signal)
            {
                Assert.True(Posix.Signal(watching.Id, Posix.SigTerm));
            }
            else
            {
                watching.StandardOutput.Close();
            }

            await watching.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Equal(0, watching.ExitCode);
        }
        finally
        {
            if (!watching.HasExited)
            {
                watching.Kill();
            }
        }
    }

    /// <summary>Lines as they come, for another thread to look at.</summary>
    private sealed class LineWriter : StringWriter
    {
        private readonly Lock _lock = new();

        public int Count
        {
            get
            {
                lock (_lock)
                {
                    return ToString().Count(c => c == '\n');
                }
            }
        }

        public bool Matches(string pattern)
        {
            lock (_lock)
            {
                return Regex.IsMatch(ToString(), pattern, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
            }
        }

        public override void WriteLine(string? value)
        {
            lock (_lock)
            {
                base.WriteLine(value);
            }
        }
    }
}
