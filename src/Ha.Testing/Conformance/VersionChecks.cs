namespace Ha.Testing.Conformance;

/// <summary>A version names one writing, and a writing takes effect once.</summary>
internal static class VersionChecks
{
    public static ConformanceCheck[] All { get; } =
    [
        new("Versions are never repeated", Unique),
        new("A repeated write whose first answer was lost takes effect once", LostAnswer),
    ];

    private static async Task Unique(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var (a, b) = (Sample.HeldBy(Sample.Member("a"), 1), Sample.HeldBy(Sample.Member("b"), 2));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        string? version = null;
        for (var i = 0; i < 100; i++)
        {
            // Equal records too, and two records in turn: neither a hash nor a flag is a version.
            version = Expect.Written(await (i % 3 == 0 ? one : other).WriteAsync(i % 4 < 2 ? a : b, version), i % 4 < 2 ? a : b, "a write");
            Expect.That(seen.Add(version), $"expected a version that no earlier writing had, but '{version}' comes again");
        }
    }

    private static async Task LostAnswer(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var before = await one.ClaimAsync(record);
        // Takes effect, and nobody hears of it.
        _ = await one.WriteAsync(record, before);

        var again = await one.WriteAsync(record, before);
        Expect.That(!again.Written, "expected the same write, repeated, to be refused as it had taken effect, but it was written again");
        Expect.Equal(record, again.Record, "the record in the answer to the repeated write");
        Expect.That(again.Version is not null && again.Version != before, "expected the version of the write whose answer was lost");
        await Expect.HoldsAsync(other, record, again.Version!);
        await one.ReplaceAsync(record, again.Version!);
    }
}
