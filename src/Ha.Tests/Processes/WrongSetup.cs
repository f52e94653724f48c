namespace Ha.Tests.Processes;

/// <summary>One wrong set-up of the example: a row of docs/setup-errors.md.</summary>
/// <param name="What">What is wrong.</param>
/// <param name="Set">
/// How node a differs from one of a sound cluster of three: <c>KEY=value</c>, without a value for a key that is not set. The
/// nodes' URLs stand as <c>{a}</c>, <c>{b}</c>, <c>{c}</c>, their ports as <c>{a:port}</c> and so on.
/// </param>
/// <param name="Said">What node a says.</param>
/// <param name="Remedy">What it says in the same line that is to be done.</param>
internal sealed record WrongSetup(string What, string[] Set, string Said, string Remedy)
{
    /// <summary>The event's id; null: the start is refused.</summary>
    public int? Event { get; init; }

    /// <summary>Not null: node b runs too, started before, and differs so.</summary>
    public string[]? B { get; init; }

    /// <summary>A line of docs/setup-errors.md.</summary>
    public string Row => $"| {What} | {(Event is { } id ? $"{id}" : "refused")} | `{Documented(Said)}` | `{Documented(Remedy)}` |";

    /// <param name="line">What node a wrote.</param>
    /// <param name="before">The line before it: for an event, level, category and id.</param>
    /// <param name="ports">The nodes'.</param>
    public bool IsNamedIn(string line, string before, IReadOnlyList<int> ports) =>
        line.Contains(Fill(Said, ports), StringComparison.Ordinal)
        && line.Contains(Fill(Remedy, ports), StringComparison.Ordinal)
        && (Event is not { } id || before.EndsWith(FormattableString.Invariant($"[{id}]"), StringComparison.Ordinal));

    private static string Documented(string text) => Fill(text, [8081, 8082, 8083]);

    /// <summary>The text with real URLs.</summary>
    public static string Fill(string text, IReadOnlyList<int> ports)
    {
        for (var i = 0; i < ports.Count; i++)
        {
            var id = (char)('a' + i);
            text = text.Replace($"{{{id}}}", Url(ports[i]), StringComparison.Ordinal)
                .Replace($"{{{id}:port}}", FormattableString.Invariant($"{ports[i]}"), StringComparison.Ordinal);
        }

        return text;
    }

    public static string Url(int port) => FormattableString.Invariant($"http://127.0.0.1:{port}");
}
