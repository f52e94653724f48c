using System.CommandLine;
using System.Globalization;

namespace Ha.Tests.OnTheWire;

/// <summary>
/// `wire --writes N [--seed S]`: three processes behind relays that split, delay and cut at random, and clients that write
/// bodies of up to 2 MB and compare answers of up to 2 MB byte for byte.
/// </summary>
internal static class WireCommand
{
    public const string Usage = "wire [--writes 50000] [--seed S]";

    /// <summary>As many writes as pass between two handovers that were asked for.</summary>
    private const int Stage = 1000;

    public static int Run(string[] args, TextWriter console)
    {
        var writes = new Option<int>("--writes") { DefaultValueFactory = _ => 50_000 };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => Random.Shared.Next() };
        var command = new RootCommand("Writes through relays that split, delay and cut, and counts what got lost.") { writes, seed };
        command.SetAction(async parsed =>
            (await RunAsync(parsed.GetValue(writes), parsed.GetValue(seed), Stage, console.WriteLine)).Failed == 0 ? 0 : 1);
        return command.Parse(args).Invoke();
    }

    /// <summary>All of it; a test takes a slice.</summary>
    public static async Task<WireVerdict> RunAsync(int writes, int seed, int stage, Action<string> say)
    {
        say(string.Create(CultureInfo.InvariantCulture, $"wire --writes {writes} --seed {seed}"));
        await using var cluster = await WireCluster.StartAsync(seed);
        using var load = new WireLoad(cluster, seed);
        var began = TimeProvider.System.GetTimestamp();
        var moves = 0;
        for (var written = 0; written < writes;)
        {
            var next = Math.Min(stage, writes - written);
            var writing = load.WriteAsync(written, next);
            moves += await cluster.MoveLeadershipAsync() ? 1 : 0;
            await writing;
            written += next;
            say($"{written} writes after {Seconds(began)}: {Counts(load.Results)}; {cluster.Cuts} connections cut");
        }

        var executed = await cluster.ExecutedAsync();
        var verdict = new WireVerdict(seed, load.Results, executed);
        var epochs = executed.Select(execution => execution.Epoch).Distinct().Count();
        var byNode = executed.CountBy(execution => execution.Node, StringComparer.Ordinal).Select(node => $"{node.Key} {node.Value}");
        var (cut, made) = (cluster.Between.Sum(relay => relay.Cuts), cluster.Between.Sum(relay => relay.Connections));
        var bytes = load.Results.Sum(result => (long)result.Write.BodySize + result.Write.AnswerSize);
        say($"{writes} writes of {bytes >> 20} MB in {Seconds(began)}; "
            + $"{executed.Count} executions ({string.Join(", ", byNode)}) in {epochs} epochs, {moves} handovers asked for; "
            + $"between nodes {cut} of {made} connections cut");
        foreach (var line in verdict.Failed == 0 ? [] : verdict.Violations.Concat(cluster.Output))
        {
            say(line);
        }

        say(string.Create(CultureInfo.InvariantCulture, $"{verdict.Passed} passed, {verdict.Failed} failed"));
        return verdict;
    }

    private static string Seconds(long began) =>
        string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetElapsedTime(began).TotalSeconds:0} s");

    private static string Counts(IEnumerable<WireResult> results)
    {
        var counts = results.CountBy(result => result.Outcome).ToDictionary();
        int Of(WireOutcome outcome) => counts.GetValueOrDefault(outcome);
        return $"{Of(WireOutcome.Acknowledged)} acknowledged, {Of(WireOutcome.Unknown)} unknown, {Of(WireOutcome.Broken)} broken off, "
            + $"{Of(WireOutcome.Refused)} refused, {Of(WireOutcome.Garbled) + Of(WireOutcome.Silent) + Of(WireOutcome.Odd)} wrong";
    }
}
