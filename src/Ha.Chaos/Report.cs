using Ha.Chaos.Checking;
using Ha.Chaos.History;
using Spectre.Console;

namespace Ha.Chaos;

/// <summary>What a history shows, for people.</summary>
internal static class Report
{
    /// <summary>The table does not fold, and neither do the lines of a run.</summary>
    public const int Width = 240;
    private const int ShownViolations = 30;

    /// <summary>Checks each history and shows one table of all. Returns the number of violations.</summary>
    public static int Show(IAnsiConsole console, IReadOnlyList<IReadOnlyList<HistoryLine>> histories)
    {
        console.Write(AvailabilityTable([.. histories.SelectMany(Availability.Episodes)]));
        foreach (var client in histories.SelectMany(h => h.OfType<Operation>()).GroupBy(o => o.Client, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            console.WriteLine($"{client.Key}: {client.Count(o => o.IsWrite)} writes, {client.Count(o => !o.IsWrite)} reads; "
                + $"{Count(client, Outcome.Ok)} ok, {Count(client, Outcome.Failed)} failed, {Count(client, Outcome.Unknown)} unknown");
        }

        return histories.Sum(h => ShowViolations(console, h));
    }

    private static int ShowViolations(IAnsiConsole console, IReadOnlyList<HistoryLine> history)
    {
        var run = history.OfType<RunLine>().First();
        var claims = history.OfType<Claim>().ToArray();
        var violations = HistoryCheck.Violations(history);
        var minutes = TimeSpan.FromMicroseconds(history.OfType<FaultLine>().Select(f => f.At).DefaultIfEmpty().Max()).TotalMinutes;
        console.WriteLine($"seed {run.Seed}, {run.Nodes} nodes, {run.Database}{(run.Lease is null ? "" : $", lease in {run.Lease}")}, {minutes:0.0} minutes: {history.OfType<Operation>().Count()} operations, "
            + $"{history.OfType<Row>().Count()} notes at the end, {claims.Length} claims to lead ({claims.Count(c => !c.IsPromised)} without a majority or a store) "
            + $"in {claims.DistinctBy(c => c.Epoch).Count()} epochs, {violations.Count} violations");
        foreach (var violation in violations.Take(ShownViolations))
        {
            console.WriteLine($"  {violation}");
        }

        return violations.Count;
    }

    private static int Count(IEnumerable<Operation> operations, Outcome outcome) => operations.Count(o => o.Outcome == outcome);

    private static Table AvailabilityTable(IReadOnlyList<Episode> episodes)
    {
        var table = new Table().MarkdownBorder();
        table.AddColumn("fault");
        foreach (var column in (string[])["times", "at the leader", "longest gap, leader hit", "longest gap, else", "median gap", "acknowledged", "failed", "unknown"])
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var fault in episodes.GroupBy(e => e.Name, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            table.AddRow(fault.Key, $"{fault.Count()}", $"{fault.Count(e => e.HitLeader)}", Worst(fault.Where(e => e.HitLeader)), Worst(fault.Where(e => !e.HitLeader)),
                Seconds(fault.Select(e => e.LongestGap).Order().ElementAt(fault.Count() / 2)),
                $"{fault.Sum(e => e.Acknowledged)}", $"{fault.Sum(e => e.Failed)}", $"{fault.Sum(e => e.Unknown)}");
        }

        return table;
    }

    private static string Worst(IEnumerable<Episode> episodes) => episodes.Any() ? Seconds(episodes.Max(e => e.LongestGap)) : "–";

    private static string Seconds(long microseconds) => $"{microseconds / 1e6:0.00} s";
}
