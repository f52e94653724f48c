using System.Globalization;

namespace Ha.Cli.Nodes;

/// <summary>A cluster for people: lines of text that fit a terminal and a log file alike.</summary>
internal static class StatusTable
{
    private static readonly string[] _head = ["NODE", "STATE", "EPOCH", "LEASE", "URL", ""];

    /// <summary>One line for each node below a heading, what it comes to, and <see cref="Reasons"/>.</summary>
    public static IReadOnlyList<string> Lines(ClusterStatus status)
    {
        string[][] rows = [_head, .. status.Nodes.Select(Cells)];
        var widths = Enumerable.Range(0, _head.Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var lines = rows.Select(row => string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        return [.. lines, "", Summary(status), .. Reasons(status).Select(reason => $"  {reason}")];
    }

    /// <summary>All of it on one line; the same as long as nothing changes but the lease.</summary>
    public static string Line(ClusterStatus status) =>
        Plain(string.Join(" · ", status.Nodes.Select(row => $"{Name(row)} {string.Join(", ", [row.State, .. Notes(row)])}").Prepend(Leader(status))));

    /// <summary>Who leads, in a clause.</summary>
    public static string Leader(ClusterStatus status) =>
        status.IsSplit ? $"{string.Join(" and ", status.Nodes.Where(row => row.Leads).Select(Name))} say that they lead"
        : status.Leader is null ? status.Nodes.Any(row => row.Answers == true) ? "no leader" : "nobody says who leads"
        : $"{Plain(status.Leader)} leads in epoch {status.Epoch.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>While nobody leads, why, by the word of each node that says so.</summary>
    public static IEnumerable<string> Reasons(ClusterStatus status) => status.Nodes
        .Where(row => status.Leader is null && row.WhyNobodyLeads is not null)
        .Select(row => $"{Name(row)}: {Plain(row.WhyNobodyLeads!)}");

    /// <summary>What nodes say may hold anything, and a terminal obeys control characters.</summary>
    public static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    public static string Name(NodeRow row) => Plain(row.NodeId.Length > 0 ? row.NodeId : row.Url);

    private static string Summary(ClusterStatus status)
    {
        var asked = status.Nodes.Count(row => row.Answers is not null);
        var answer = status.Nodes.Count(row => row.Answers == true);
        return $"{Leader(status)}; {answer} of {asked} nodes answer";
    }

    private static string[] Cells(NodeRow row) =>
    [
        row.NodeId.Length > 0 ? Plain(row.NodeId) : "?",
        Plain(row.State),
        row.Epoch > 0 ? row.Epoch.ToString(CultureInfo.InvariantCulture) : "",
        row.Leads ? row.LeaseRemainingMs is { } left ? Durations.Show(TimeSpan.FromMilliseconds(left)) : "no end" : "",
        Plain(row.Url),
        Plain(string.Join(", ", Notes(row))),
    ];

    private static IEnumerable<string> Notes(NodeRow row)
    {
        if (row.Paused)
        {
            yield return "paused";
        }

        if (row.Unhealthy)
        {
            yield return "unhealthy";
        }

        if (row.ConfigMismatch is { } mismatch)
        {
            yield return $"other settings: {mismatch}";
        }

        if (row.Error is { } error)
        {
            yield return error;
        }

        if (row is { Answers: false, Up: true })
        {
            yield return "the others hear it";
        }
    }
}
