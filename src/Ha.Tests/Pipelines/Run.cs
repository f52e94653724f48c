using System.Collections.Concurrent;

namespace Ha.Tests.Pipelines;

/// <summary>How a handler ended.</summary>
internal enum RunEnd
{
    /// <summary>It has not.</summary>
    Running,
    Returned,
    Threw,

    /// <summary>With <see cref="NotLeaderException"/>, in whatever wrapping: nothing was committed, by its own word.</summary>
    Refused,
}

/// <summary>One run of a request's handler.</summary>
/// <param name="number">Counted from 0 over both nodes.</param>
/// <param name="node">Index of the node.</param>
/// <param name="keyed">True: its endpoint honours keys.</param>
internal sealed class Run(int number, int node, bool keyed)
{
    public int Number => number;

    public int Node => node;

    public bool Keyed => keyed;

    public bool Committed { get; set; }

    /// <summary>False: what it read is not what was sent.</summary>
    public bool BodyWasRight { get; set; } = true;

    public RunEnd End { get; set; }

    public string? Failure { get; set; }

    public override string ToString() =>
        $"run {number} on node {node}{(Committed ? ", committed" : "")}{(BodyWasRight ? "" : ", read a wrong body")}, {End}{(Failure is null ? "" : $" ({Failure})")}";
}

/// <summary>What ran, over both nodes, by request.</summary>
internal sealed class Ledger
{
    private readonly ConcurrentDictionary<string, List<Run>> _runs = new(StringComparer.Ordinal);

    /// <summary>Requests that no plan of this case knows: left over by another.</summary>
    public ConcurrentQueue<string> Strays { get; } = new();

    public Run Begin(string id, int node, bool keyed)
    {
        var runs = _runs.GetOrAdd(id, static _ => []);
        lock (runs)
        {
            var run = new Run(runs.Count, node, keyed);
            runs.Add(run);
            return run;
        }
    }

    public IReadOnlyList<Run> Of(string id)
    {
        if (!_runs.TryGetValue(id, out var runs))
        {
            return [];
        }

        lock (runs)
        {
            return [.. runs];
        }
    }
}
