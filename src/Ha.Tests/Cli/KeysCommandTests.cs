using Ha.Cli;
using Ha.Tests.Configuration;

namespace Ha.Tests.Cli;

public sealed class KeysCommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-keys-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("keys", "new")]
    [InlineData("keys")]
    public async Task It_prints_variables_that_make_a_cluster(params string[] command)
    {
        var lines = await LinesAsync([.. command, "n1", "n2", "n3"]);
        var secrets = lines.Where(line => line.StartsWith("BASE_NODE_KEY=", StringComparison.Ordinal)).Select(Value).ToArray();

        Assert.Equal(3, secrets.Distinct().Count());
        Assert.Empty(Settings.Problems(Settings.Cluster(
            ("BASE_CLUSTER_SECRET", ""),
            ("BASE_NODE_KEY", secrets[0]),
            ("BASE_PEER_KEYS", Value(lines.Single(line => line.StartsWith("BASE_PEER_KEYS=", StringComparison.Ordinal)))))));
    }

    [Theory]
    [InlineData("keys", "new")]
    [InlineData("keys")]
    public async Task Without_ids_it_prints_a_secret(params string[] command) =>
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_CLUSTER_SECRET", Value((await LinesAsync(command))[^1])))));

    [Fact]
    public async Task Names_before_the_verb_are_not_lost() =>
        Assert.Contains("ha keys new a b c", (await CommandRun.RunAsync([], "keys", "a", "new", "b")).Ended(ExitCode.WrongUsage).Error, StringComparison.Ordinal);

    [Theory]
    [InlineData("is empty", "keys", "new", "")]
    [InlineData("BASE_NODE_ID (a b) must be printable ASCII", "keys", "new", "c", "a b")]
    [InlineData("BASE_NODE_ID (a,b) must be printable ASCII", "keys", "a,b")]
    public async Task A_name_that_no_node_may_have_gets_no_key(string expected, params string[] command)
    {
        var run = (await CommandRun.RunAsync([], command)).Ended(ExitCode.WrongUsage);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("BASE_NODE_KEY", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_public_key_of_a_private_one_is_the_one_that_was_printed_with_it()
    {
        var (id, key, peers) = await PairAsync();
        var expected = peers.Value![(id.Value!.Length + 1)..] + "\n";
        Assert.Equal(expected, (await CommandRun.RunAsync([key], "keys", "public")).Ended(ExitCode.Done).Output);
        Assert.Equal(expected, (await CommandRun.RunAsync([], "keys", "public", Write(key.Value!))).Ended(ExitCode.Done).Output);
        Assert.Equal(expected, (await CommandRun.RunAsync([("BASE_NODE_KEY_FILE", Write(key.Value!))], "keys", "public")).Ended(ExitCode.Done).Output);
        (await CommandRun.RunAsync([], "keys", "public")).Ended(ExitCode.WrongUsage);
        var nonsense = (await CommandRun.RunAsync([("BASE_NODE_KEY", "nonsense")], "keys", "public")).Ended(ExitCode.Failed);
        Assert.Contains("BASE_NODE_KEY (8 characters) is", nonsense.Error, StringComparison.Ordinal);
        var file = Write("nonsense");
        nonsense = (await CommandRun.RunAsync([], "keys", "public", file)).Ended(ExitCode.Failed);
        Assert.StartsWith($"{file} (8 characters) is ", nonsense.Error, StringComparison.Ordinal);
        var none = (await CommandRun.RunAsync([], "keys", "public", "none")).Ended(ExitCode.WrongUsage);
        Assert.StartsWith("none names a file that does not exist", none.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_that_fit_are_said_to_fit()
    {
        var (id, key, peers) = await PairAsync();
        var secret = ("BASE_CLUSTER_SECRET", "a-secret-for-the-tests-only");
        var run = (await CommandRun.RunAsync([id, key, peers, secret], "keys", "check")).Ended(ExitCode.Done);
        Assert.Equal(
            $"The shared secret is well-formed.\nThe private key is well-formed; its public key is {peers.Value![2..]}.\n"
            + "The peers' keys are well-formed: a. That of a fits the private key.\n", run.Output);

        var file = Write($"# of one node\n{id.Key}={id.Value}\n{key.Key}=\"{key.Value}\"\n\n{peers.Key}={peers.Value}\n");
        Assert.Contains("That of a fits", (await CommandRun.RunAsync([], "keys", "check", file)).Ended(ExitCode.Done).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_that_do_not_fit_fail_and_none_is_shown()
    {
        var (id, key, peers) = await PairAsync();
        var (_, otherKey, otherPeers) = await PairAsync();
        var list = $"a={otherPeers.Value![2..]}";
        foreach (var (expected, variables) in new (string, (string, string?)[])[]
        {
            ("is not the public half", [id, key, ("BASE_PEER_KEYS", list)]),
            ("has no key of b", [("BASE_NODE_ID", "b"), key, ("BASE_PEER_KEYS", list)]),
            ("is this node's own key", [("BASE_NODE_ID", "b"), key, peers]),
            ("is followed by a private key", [("BASE_PEER_KEYS", $"a={key.Value}")]),
            ("is not of the form id=publickey", [("BASE_PEER_KEYS", otherKey.Value)]),
            ("is shorter than 16 bytes", [("BASE_CLUSTER_SECRET", "too-short")]),
            ("is a command or a placeholder", [("BASE_CLUSTER_SECRET", "$(echo too-short)")]),
            ("secret 2, 16 bytes) is a command or a placeholder", [("BASE_CLUSTER_SECRET_FILE", Write("0123456789abcdef\n`echo too-short`\n"))]),
            ("names a file that does not exist", [("BASE_CLUSTER_SECRET_FILE", "./none")]),
            ("BASE_CLUSTER_SECERT is not a setting; did you mean BASE_CLUSTER_SECRET?", [id, key, peers, ("BASE_CLUSTER_SECERT", otherKey.Value)]),
            ("BASE_CLUSTER_SECERT is not a setting", [("BASE_CLUSTER_SECERT", otherKey.Value)]),
            ("BASE_INSECURE (perhaps) is neither true nor false", [id, key, peers, ("BASE_INSECURE", "perhaps")]),
            ("keys of 0 other nodes, but BASE_PEERS names 1",
                [id, key, peers, ("BASE_LOCAL_TARGET", "http://a"), ("BASE_PEERS", "http://a,http://b")]),
        })
        {
            var run = (await CommandRun.RunAsync(variables, "keys", "check")).Ended(ExitCode.Failed);
            Assert.Contains(expected, run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain(key.Value!, run.Error + run.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(otherKey.Value!, run.Error + run.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("too-short", run.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("There is nothing to check", "BASE_NODE_ID=a")]
    [InlineData("has BASE_NODE_KEY twice", "BASE_NODE_KEY=x\nBASE_NODE_KEY=y")]
    [InlineData("has a line that is not KEY=VALUE", "a-secret-by-mistake")]
    public async Task A_file_that_is_not_of_one_node_is_refused(string expected, string text)
    {
        var run = (await CommandRun.RunAsync([], "keys", "check", Write(text))).Ended(ExitCode.WrongUsage);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("mistake", run.Error, StringComparison.Ordinal);
        (await CommandRun.RunAsync([], "keys", "check", Path.Combine(_folder.FullName, "none"))).Ended(ExitCode.WrongUsage);
    }

    /// <summary>The variables of a node a, which is alone.</summary>
    private static async Task<((string Key, string? Value) Id, (string Key, string? Value) NodeKey, (string Key, string? Value) PeerKeys)> PairAsync()
    {
        var lines = await LinesAsync("keys", "new", "a");
        return (("BASE_NODE_ID", "a"), ("BASE_NODE_KEY", Value(lines[2])), ("BASE_PEER_KEYS", Value(lines[^1])));
    }

    private static async Task<string[]> LinesAsync(params string[] arguments) =>
        (await CommandRun.RunAsync([], arguments)).Ended(ExitCode.Done)
            .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string Value(string line) => line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..];

    private string Write(string text)
    {
        var path = Path.Combine(_folder.FullName, $"{Guid.NewGuid():N}");
        File.WriteAllText(path, text);
        return path;
    }
}
