using Ha.Chaos.Nodes;

namespace Ha.Chaos;

internal sealed record RunSettings
{
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(2);
    public required int Seed { get; init; }

    /// <summary>Names of faults, or parts of names; empty: all.</summary>
    public IReadOnlyList<string> Faults { get; init; } = [];
    public bool Postgres { get; init; }

    /// <summary>What elects.</summary>
    public StoreKind Store { get; init; }

    public int Nodes { get; init; } = 3;

    /// <summary>Operations a second, two thirds of them writes.</summary>
    public int Rate { get; init; } = 60;
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Gets the history and the logs.</summary>
    public required string Folder { get; init; }

    /// <summary>Keep the folder of a run without violations.</summary>
    public bool Keep { get; init; }

    public TimeSpan Lease => 3 * Interval;

    /// <summary>The command that draws the same faults again.</summary>
    public string Command => $"dotnet run -c Release --project src/Ha.Chaos -- run --minutes {Duration.TotalMinutes:0.##} --seed {Seed} --nodes {Nodes}"
        + $" --rate {Rate} --interval {Interval.TotalMilliseconds:0} --database {(Postgres ? "postgres" : "sqlite")} --lease {Store.Word()}"
        + string.Concat(Faults.Select(f => $" --faults {f}"));
}
