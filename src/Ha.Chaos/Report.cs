using Ha.Chaos.Checking;
using Ha.Chaos.History;
using Spectre.Console;

namespace Ha.Chaos;

/// <summary>What a history shows, for people.</summary>
internal static class Report
{
    private const int ShownViolations = 30;

    public static void Show(IAnsiConsole console, IReadOnlyCollection<HistoryLine> history, IReadOnlyList<string> violations)
    {
        console.Write(AvailabilityTable(Availability.Episodes(history)));
        var operations = history.OfType<Operation>().ToArray();
        var claims = history.OfType<Claim>().ToArray();
        console.WriteLine($"{operations.Length} operations: {operations.Count(o => o.IsWrite)} writes, {operations.Count(o => !o.IsWrite)} reads; "
            + $"{history.OfType<Row>().Count()} notes at the end; {claims.Length} claims to lead in {claims.DistinctBy(c => c.Epoch).Count()} epochs");
        foreach (var client in operations.GroupBy(o => o.Client).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            console.WriteLine($"  {client.Key}: {client.Count()} operations, {Count(client, Outcome.Ok)} ok, {Count(client, Outcome.Failed)} failed, {Count(client, Outcome.Unknown)} unknown");
        }

        console.WriteLine($"{violations.Count} violations");
        foreach (var violation in violations.Take(ShownViolations))
        {
            console.WriteLine($"  {violation}");
        }
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
