namespace Ha.Chaos.Faults;

internal static class FaultCatalogue
{
    public static IReadOnlyList<Fault> All { get; } =
        [.. ProcessFaults.All, .. PartitionFaults.All, .. LinkFaults.All, .. DatabaseFaults.All];

    /// <summary>Those whose names begin with one of these; all when none is given.</summary>
    public static IReadOnlyList<Fault> Named(IReadOnlyList<string> beginnings) =>
        beginnings.Count == 0 ? All : [.. All.Where(f => beginnings.Any(b => f.Name.StartsWith(b, StringComparison.Ordinal)))];
}
