using System.Globalization;
using System.Text.RegularExpressions;
using Ha.Cli.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>
/// A start of three nodes and a <c>kill -9</c> of their leader: what the nodes log of a leader must be so. A loss is
/// real when its leader was killed, or says itself that its lease lapsed.
/// </summary>
internal static partial class LossTrials
{
    /// <returns>Lines of the log that are not true, each with the node that wrote it.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(ITestOutputHelper output, TimeSpan interval)
    {
        await using var cluster = await ExampleCluster.StartAsync(output, new ClusterSettings
        {
            Interval = interval,
            Environment = _ => new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Logging__Console__FormatterName"] = "simple",
                ["Logging__Console__FormatterOptions__TimestampFormat"] = "HH:mm:ss.fff ",
            },
        });
        var first = await cluster.WaitForLeaderAsync();
        await Task.Delay(3 * cluster.Lease);
        var killed = await cluster.WaitForLeaderAsync();
        cluster.Node(killed).Kill();
        await cluster.Node(killed).WhenDead;
        await cluster.WaitForLeaderAsync(Math.Max(first.Epoch, killed.Epoch));
        await Task.Delay(3 * cluster.Lease);
        var untrue = cluster.Nodes.SelectMany(node => Untrue(node, cluster.Nodes, killed.Epoch)).ToList();
        if (!cluster.Nodes.SelectMany(Losses).Any(loss => loss.Epoch == killed.Epoch))
        {
            untrue.Add("nobody noticed the kill");
        }

        return untrue;
    }

    private static IEnumerable<string> Untrue(NodeProcess node, IReadOnlyList<NodeProcess> all, long killed)
    {
        var real = all.SelectMany(Lapses).Append(killed).ToHashSet();
        var losses = Losses(node).ToArray();
        var wrong = losses.Where(loss => !real.Contains(loss.Epoch)).Concat(losses.GroupBy(loss => loss.Epoch).SelectMany(same => same.Skip(1)));
        return wrong.Select(loss => loss.Line).Concat(node.Output.Where(line => MovedNowhere().IsMatch(line))).Select(line => $"{node.Id}: {line.Trim()}");
    }

    private static IEnumerable<(long Epoch, string Line)> Losses(NodeProcess node) => Epochs(node, Lost());

    private static IEnumerable<long> Lapses(NodeProcess node) => Epochs(node, Lapsed()).Select(lapse => lapse.Epoch);

    private static IEnumerable<(long Epoch, string Line)> Epochs(NodeProcess node, Regex what) =>
        from line in node.Output
        let match = what.Match(line)
        where match.Success
        select (long.Parse(match.Groups["epoch"].ValueSpan, CultureInfo.InvariantCulture), line);

    [GeneratedRegex(@"Leader \S+ of epoch (?<epoch>\d+) is gone: its lease ran out", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Lost();

    [GeneratedRegex(@"Leadership of this node in epoch (?<epoch>\d+) lapsed", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Lapsed();

    [GeneratedRegex(@"Leadership moved from (?<leader>.+) to \k<leader> in epoch", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MovedNowhere();
}
