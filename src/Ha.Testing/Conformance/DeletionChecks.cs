namespace Ha.Testing.Conformance;

/// <summary>What may be there after somebody has deleted the record by hand, while its holder may well lead.</summary>
internal static class DeletionChecks
{
    public static ConformanceCheck[] All { get; } =
    [
        new("A record that was deleted while held is absent, or shows its holder and no lower epoch", Shown),
        new("A version from before a deletion is refused after the record was made anew", OldVersions),
        new("Versions are never repeated over deletions", Unique),
    ];

    private static async Task Shown(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 41);
        await one.ClaimAsync(record);
        if (!await room.DeleteRecordAsync())
        {
            return;
        }

        foreach (var client in new[] { one, other })
        {
            var read = await client.ReadAsync(Sample.Member("b"), CancellationToken.None);
            Expect.Equal(read.Record is null, read.Version is null, "that there is no version (as there is no record)");
            if (read.Record is { } shown)
            {
                // Whoever saw it released would claim it at once, beside a holder that has not looked yet.
                Expect.Equal(record.HolderId, shown.HolderId, "the holder of the deleted record");
                Expect.That(shown.Epoch >= record.Epoch, $"expected an epoch of at least {record.Epoch} after the deletion, but it is {shown.Epoch}");
            }
        }
    }

    private static async Task OldVersions(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var first = await one.ClaimAsync(record);
        var second = await one.ReplaceAsync(record, first);
        if (!await room.DeleteRecordAsync())
        {
            return;
        }

        var after = await other.ReadAsync(Sample.Member("b"), CancellationToken.None);
        var next = Sample.HeldBy(Sample.Member("b"), 2);
        var third = Expect.Written(await other.WriteAsync(next, after.Version), next, "a claim after the deletion");
        foreach (var old in new[] { first, second })
        {
            Expect.Refused(await one.WriteAsync(record, old), next, third, "a write against a version from before the deletion");
        }
    }

    private static async Task Unique(ConformanceRoom room)
    {
        var client = await room.ClientAsync();
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 5; i++)
        {
            var there = await client.ReadAsync(Sample.Member("a"), CancellationToken.None);
            var version = Expect.Written(await client.WriteAsync(record, there.Version), record, "a claim after the deletion");
            Expect.That(seen.Add(version), $"expected a version that no earlier writing had, but '{version}' comes again");
            version = await client.ReplaceAsync(record, version);
            Expect.That(seen.Add(version), $"expected a version that no earlier writing had, but '{version}' comes again");
            if (!await room.DeleteRecordAsync())
            {
                return;
            }
        }
    }
}
