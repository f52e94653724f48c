namespace Ha.Chaos.Faults;

internal static class FaultCatalogue
{
    // What the others are compared with.
    private static readonly Fault _nothing = new("nothing", async c =>
    {
        await c.HoldAsync(c.Leases(2, 8));
        return "";
    })
    {
        HasTarget = false,
    };

    public static IReadOnlyList<Fault> All { get; } =
    [
        _nothing, .. ProcessFaults.All, .. PartitionFaults.All, .. LinkFaults.All, .. DatabaseFaults.All, .. StoreFaults.All, .. ClockFaults.All,
        .. ResourceFaults.All, .. SettingsFaults.All,
    ];

    /// <summary>Those whose names begin with one of these; all when none is given.</summary>
    public static IReadOnlyList<Fault> Named(IReadOnlyList<string> beginnings) =>
        beginnings.Count == 0 ? All : [.. All.Where(f => beginnings.Any(b => f.Name.StartsWith(b, StringComparison.Ordinal)))];
}
