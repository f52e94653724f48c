using Ha.Cli.Keys;
using Ha.Tests.Configuration;

namespace Ha.Tests.Cli;

public class KeysCommandTests
{
    [Fact]
    public void It_prints_variables_that_make_a_cluster()
    {
        var lines = Run("n1", "n2", "n3");
        var secrets = lines.Where(line => line.StartsWith("BASE_NODE_KEY=", StringComparison.Ordinal)).Select(Value).ToArray();

        Assert.Equal(3, secrets.Distinct().Count());
        Assert.Empty(Settings.Problems(Settings.Cluster(
            ("BASE_CLUSTER_SECRET", ""),
            ("BASE_NODE_KEY", secrets[0]),
            ("BASE_PEER_KEYS", Value(lines.Single(line => line.StartsWith("BASE_PEER_KEYS=", StringComparison.Ordinal)))))));
    }

    [Fact]
    public void Without_ids_it_prints_a_secret() =>
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_CLUSTER_SECRET", Value(Run()[^1])))));

    private static string[] Run(params string[] nodeIds)
    {
        var output = new StringWriter();
        Assert.Equal(0, KeysCommand.New(nodeIds, output));
        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    private static string Value(string line) => line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..];
}
