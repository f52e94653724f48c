using System.Collections.Concurrent;

namespace Ha.Tests.Oracle;

/// <summary>A fact that is not the same through our node and through YARP; null: there is none.</summary>
internal sealed record Divergence(OracleCase Case, Front Front, string Fact, string? Ours, string? Yarp)
{
    /// <summary>All facts of the exchange through our node.</summary>
    public required IReadOnlyDictionary<string, string> AllOurs { get; init; }

    /// <summary>All facts of the exchange through YARP.</summary>
    public required IReadOnlyDictionary<string, string> AllYarps { get; init; }

    /// <summary>True: the client saw it, not the leader.</summary>
    public bool IsClients => Fact.StartsWith("client:", StringComparison.Ordinal);

    public override string ToString() => $"{Case} [{Front}] {Fact}: ours {Shown(Ours)}, YARP's {Shown(Yarp)}";

    private static string Shown(string? value) => value is null ? "-" : $"<{value.ReplaceLineEndings(" | ")}>";
}

/// <summary>Sends cases through both kinds of node at once and sorts out what differs.</summary>
internal sealed class OracleRun
{
    private const int Lanes = 4;

    private readonly ConcurrentQueue<Divergence> _unexplained = new();
    private readonly ConcurrentDictionary<string, Divergence> _met = new(StringComparer.Ordinal);
    private int _exchanges;

    /// <summary>What differs and is in no row of the table.</summary>
    public IReadOnlyCollection<Divergence> Unexplained => _unexplained;

    /// <summary>The differences that occurred, with an example each.</summary>
    public IReadOnlyDictionary<string, Divergence> Met => _met;

    public int Exchanges => Volatile.Read(ref _exchanges);

    public async Task RunAsync(IEnumerable<OracleCase> cases)
    {
        var left = new ConcurrentQueue<(OracleCase Case, Front Front)>(cases.SelectMany(one => one.Fronts.Select(front => (one, front))));
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(_ => Task.Run(() => WorkAsync(left))));
    }

    private async Task WorkAsync(ConcurrentQueue<(OracleCase Case, Front Front)> left)
    {
        await using var ours = await Side.OursAsync();
        await using var yarp = await Side.YarpAsync();
        while (left.TryDequeue(out var next))
        {
            var asking = ours.AskAsync(next.Case, next.Front);
            var theirs = await yarp.AskAsync(next.Case, next.Front);
            Compare(next.Case, next.Front, await asking, theirs);
            Interlocked.Increment(ref _exchanges);
        }
    }

    private void Compare(OracleCase one, Front front, IReadOnlyDictionary<string, string> ours, IReadOnlyDictionary<string, string> yarps)
    {
        foreach (var fact in ours.Keys.Union(yarps.Keys, StringComparer.Ordinal))
        {
            var (mine, theirs) = (ours.GetValueOrDefault(fact), yarps.GetValueOrDefault(fact));
            if (string.Equals(mine, theirs, StringComparison.Ordinal))
            {
                continue;
            }

            var divergence = new Divergence(one, front, fact, mine, theirs) { AllOurs = ours, AllYarps = yarps };
            var explanations = Differences.All.Where(difference => difference.Explains(divergence)).ToList();
            foreach (var explanation in explanations)
            {
                _met.TryAdd(explanation.Name, divergence);
            }

            if (explanations.Count == 0)
            {
                _unexplained.Enqueue(divergence);
            }
        }
    }
}
