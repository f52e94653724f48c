namespace Ha.Testing.Conformance;

/// <summary>One client after another: what is written, refused and read.</summary>
internal static class RecordChecks
{
    // Every printable character that a node id may have: no space, comma, quote or backslash.
    private static readonly string _oddId = string.Concat(
        Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c).Where(c => c is not (',' or '"' or '\'' or '\\')));

    public static ConformanceCheck[] All { get; } =
    [
        new("A cluster that nobody has led has no record", NothingAtFirst),
        new("The first claim is written", FirstClaim),
        new("A claim of an absent record is refused where there is one", ClaimOverRecord),
        new("A write against the current version is written", Renewal),
        new("A write against an older version is refused", OldVersion),
        new("A release keeps the epoch and lasts zero", Release),
        new("Every field comes back as it was written", Fields),
        new("A read changes nothing", Reads),
        new("Clusters do not see each other", Clusters),
        new("The age, where there is one, grows until the next write", Age),
    ];

    private static async Task NothingAtFirst(ConformanceRoom room)
    {
        var client = await room.ClientAsync();
        var read = await client.ReadAsync(Sample.Member("a"), CancellationToken.None);
        Expect.That(!read.Written, "expected an answer to a read not to say Written");
        Expect.Equal(null, read.Record, "the record");
        Expect.Equal(null, read.Version, "the version of no record");

        var refused = await client.WriteAsync(Sample.HeldBy(Sample.Member("a"), 1), "no version of this store");
        Expect.That(!refused.Written, "expected a write against a version to be refused where there is no record, but it was written");
        Expect.Equal(null, refused.Record, "the record after a write that was refused");
    }

    private static async Task FirstClaim(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var version = await one.ClaimAsync(record);
        await Expect.HoldsAsync(one, record, version);
        await Expect.HoldsAsync(other, record, version);
    }

    private static async Task ClaimOverRecord(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var first = Sample.HeldBy(Sample.Member("a"), 1);
        var version = await one.ClaimAsync(first);
        Expect.Refused(await other.WriteAsync(Sample.HeldBy(Sample.Member("b"), 2), expected: null), first, version, "a claim of an absent record");
        await Expect.HoldsAsync(one, first, version);
    }

    private static async Task Renewal(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var first = Sample.HeldBy(Sample.Member("a"), 1);
        var version = await one.ReplaceAsync(first, await one.ClaimAsync(first));
        var second = Sample.HeldBy(Sample.Member("b"), 2);
        await Expect.HoldsAsync(one, second, await other.ReplaceAsync(second, version));
    }

    private static async Task OldVersion(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var old = await one.ClaimAsync(record);
        var current = await one.ReplaceAsync(record, old);
        Expect.Refused(await other.WriteAsync(Sample.HeldBy(Sample.Member("b"), 2), old), record, current, "a write against an older version");
        Expect.Refused(
            await other.WriteAsync(Sample.HeldBy(Sample.Member("b"), 2), "no version of this store"), record, current, "a write against a version that never was");
        await Expect.HoldsAsync(one, record, current);
    }

    private static async Task Release(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var held = Sample.HeldBy(Sample.Member("a"), 41);
        var released = held with { HolderId = null, Duration = TimeSpan.Zero, Successor = "b" };
        var version = await one.ReplaceAsync(released, await one.ClaimAsync(held));
        await Expect.HoldsAsync(other, released, version);
        var next = Sample.HeldBy(Sample.Member("b"), 42);
        await Expect.HoldsAsync(one, next, await other.ReplaceAsync(next, version));
    }

    private static async Task Fields(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var plain = Sample.HeldBy(Sample.Member("a"), 1);
        var longest = $"https://[2001:db8::1]:65535/{new string('x', 480)}";
        LeaseRecord[] records =
        [
            plain,
            plain with { Epoch = 1L << 53 },
            plain with { Epoch = (1L << 53) - 1 },
            plain with { Epoch = 1_767_225_600_123_456 },
            plain with { HolderId = _oddId, Successor = _oddId },
            plain with { HolderId = new string('~', 128), Successor = new string('!', 128) },
            plain with { HolderId = "null", Successor = "nil" },
            plain with { HolderId = "0", Successor = "-1" },
            plain with { Url = "", Target = "" },
            plain with { Url = longest, Target = "" },
            plain with { Url = "", Target = longest },
            plain with { Duration = TimeSpan.FromMilliseconds(20) },
            plain with { Duration = TimeSpan.FromMilliseconds(3_599_999) },
            plain with { Duration = TimeSpan.FromHours(1) },
            plain with { HolderId = null },
            plain with { HolderId = null, Successor = "b" },
        ];
        string? version = null;
        foreach (var record in records)
        {
            version = Expect.Written(await one.WriteAsync(record, version), record, "a record with unusual fields");
            await Expect.HoldsAsync(other, record, version);
        }
    }

    private static async Task Reads(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var version = await one.ClaimAsync(record);
        for (var i = 0; i < 10; i++)
        {
            await Expect.HoldsAsync(i % 2 == 0 ? one : other, record, version);
        }

        await one.ReplaceAsync(record, version);
    }

    private static async Task Clusters(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync(ConformanceRoom.NewClusterId()));
        var (first, second) = (Sample.HeldBy(Sample.Member("a"), 1), Sample.HeldBy(Sample.Member("b"), 2));
        var version = await one.ClaimAsync(first);
        var otherVersion = await other.ClaimAsync(second);
        await Expect.HoldsAsync(one, first, version);
        await Expect.HoldsAsync(other, second, otherVersion);
        var third = await other.WriteAsync(Sample.HeldBy(Sample.Member("c"), 3), version);
        Expect.Refused(third, second, otherVersion, "a write against another cluster's version");
    }

    private static async Task Age(ConformanceRoom room)
    {
        var client = await room.ClientAsync();
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var version = await client.ClaimAsync(record);
        if (await AgeAsync(client) is null)
        {
            return;
        }

        await room.UntilAsync(async () => await AgeAsync(client) > TimeSpan.FromMilliseconds(100), "the age to grow beyond 100 ms");
        var answer = await client.WriteAsync(record, version);
        Expect.That(answer.Age >= TimeSpan.Zero && answer.Age < TimeSpan.FromMilliseconds(100), $"expected an age near zero right after a write, but it is {answer.Age}");
    }

    private static async Task<TimeSpan?> AgeAsync(ILeaseStore client)
    {
        var age = (await client.ReadAsync(Sample.Member("a"), CancellationToken.None)).Age;
        Expect.That(age is null || age >= TimeSpan.Zero, $"expected no negative age, but it is {age}");
        return age;
    }
}
