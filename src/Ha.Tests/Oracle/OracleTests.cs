using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Oracle;

/// <summary>
/// The same requests through our follower and through a plain YARP, to the same leader: what client and leader see is the
/// same, but for what docs/forwarding.md lists.
/// </summary>
public sealed class OracleTests(ITestOutputHelper output)
{
    private const int From = 20251201;
    private const int Seeds = 100;

    [Fact]
    public async Task Through_our_node_everything_is_as_through_yarp_but_for_what_is_listed()
    {
        var run = new OracleRun();

        await run.RunAsync(Questions.Named);

        output.WriteLine($"{run.Exchanges} exchanges\n{string.Join('\n', run.Met.Select(met => $"{met.Key}: {met.Value}"))}");
        AssertExplained(run);
        Assert.Equal([], Differences.All.Select(difference => difference.Name).Except(run.Met.Keys, StringComparer.Ordinal));
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Random_combinations_differ_in_nothing_else()
    {
        var run = new OracleRun();

        await run.RunAsync(Enumerable.Range(From, Seeds).Select(Questions.Random));

        output.WriteLine($"seeds {From} to {From + Seeds - 1}");
        AssertExplained(run);
    }

    [Fact]
    public void The_documented_differences_are_the_listed_ones()
    {
        var section = Repository.Read("docs/forwarding.md").ReplaceLineEndings("\n").Split("\n## Where we differ from YARP\n")[1].Split("\n## ")[0];

        Assert.Equal(
            Differences.All.Select(difference => $"| {difference.Name} | {difference.Why} |"),
            section.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1));
    }

    private static void AssertExplained(OracleRun run) =>
        Assert.True(run.Unexplained.Count == 0, $"{run.Unexplained.Count} unlisted:\n{string.Join('\n', run.Unexplained.Take(200))}");
}
