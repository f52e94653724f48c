namespace Ha.Testing.Conformance;

/// <summary>Who has shown itself to the store.</summary>
internal static class MemberChecks
{
    public static ConformanceCheck[] All { get; } =
    [
        new("Members are listed as they showed themselves, or not at all", Listed),
        new("A member that changes is listed as it is now", Changed),
        new("A member's age grows until it shows itself again", Age),
        new("Two processes of one node id are both listed", SameId),
        new("A member that leaves is listed no more", Leaves),
    ];

    private static async Task Listed(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var (a, b) = (Sample.Member("a"), Sample.Member("b", eligible: false) with { Url = "" });
        var first = await one.ReadAsync(a, CancellationToken.None);
        Expect.Equal(room.KeepsMembers, first.Members is not null, "that members are listed");
        if (!room.KeepsMembers)
        {
            return;
        }

        Same([a], first, "the answer to the first read, without a record");
        Same([a, b], await other.ReadAsync(b, CancellationToken.None), "the answer to a read");
        var record = Sample.HeldBy(a, 1);
        Same([a, b], await one.TryWriteAsync(record, expected: null, a, CancellationToken.None), "the answer to a write");
        Same([a, b], await other.TryWriteAsync(record, expected: null, b, CancellationToken.None), "the answer to a refused write");
    }

    private static async Task Changed(ConformanceRoom room)
    {
        if (!room.KeepsMembers)
        {
            return;
        }

        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var (a, b) = (Sample.Member("a", eligible: false), Sample.Member("b"));
        await one.ReadAsync(a, CancellationToken.None);
        a = a with { Eligible = true, Url = "http://elsewhere.example", Target = "" };
        await one.ReadAsync(a, CancellationToken.None);
        Same([a, b], await other.ReadAsync(b, CancellationToken.None), "the answer after a member changed");
    }

    private static async Task Age(ConformanceRoom room)
    {
        if (!room.KeepsMembers)
        {
            return;
        }

        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var (a, b) = (Sample.Member("a"), Sample.Member("b"));
        await one.ReadAsync(a, CancellationToken.None);
        await room.UntilAsync(async () => await AgeAsync(other, b, of: a) > TimeSpan.FromMilliseconds(100), "a member's age to grow beyond 100 ms");
        var before = await AgeAsync(other, b, of: a);
        await one.ReadAsync(a, CancellationToken.None);
        var after = await AgeAsync(other, b, of: a);
        Expect.That(after < before, $"expected an age below {before} after the member showed itself, but it is {after}");
    }

    private static async Task SameId(ConformanceRoom room)
    {
        if (!room.KeepsMembers)
        {
            return;
        }

        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var (first, second) = (Sample.Member("a"), Sample.Member("a"));
        await one.ReadAsync(first, CancellationToken.None);
        Same([first, second], await other.ReadAsync(second, CancellationToken.None), "the answer to the second of two processes with one id");
    }

    private static async Task Leaves(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var (a, b, later) = (Sample.Member("a"), Sample.Member("b"), Sample.Member("a"));
        await one.ReadAsync(a, CancellationToken.None);
        await other.ReadAsync(b, CancellationToken.None);
        await one.LeaveAsync(a, CancellationToken.None);
        await one.LeaveAsync(a, CancellationToken.None);
        if (!room.KeepsMembers)
        {
            return;
        }

        Same([b], await other.ReadAsync(b, CancellationToken.None), "the answer after a member left");

        // The process that replaced it is another member.
        await one.ReadAsync(later, CancellationToken.None);
        await other.LeaveAsync(a, CancellationToken.None);
        Same([b, later], await other.ReadAsync(b, CancellationToken.None), "the answer after the member's earlier process left once more");
    }

    private static async Task<TimeSpan> AgeAsync(ILeaseStore client, LeaseMember asks, LeaseMember of)
    {
        var members = (await client.ReadAsync(asks, CancellationToken.None)).Members ?? [];
        var found = members.FirstOrDefault(member => member.Incarnation == of.Incarnation)
            ?? throw new ConformanceFault($"expected member '{of.NodeId}' to be listed");
        Expect.That(found.Age >= TimeSpan.Zero, $"expected no negative age of a member, but it is {found.Age}");
        return found.Age;
    }

    private static void Same(LeaseMember[] expected, LeaseAnswer answer, string what)
    {
        var listed = Order(answer.Members ?? []).ToArray();
        Expect.That(
            Order(expected).SequenceEqual(listed.Select(member => member with { Age = TimeSpan.Zero })),
            $"expected the members {Say(Order(expected))} in {what}, but they are {Say(listed)}");
    }

    private static IEnumerable<LeaseMember> Order(IEnumerable<LeaseMember> members) =>
        members.OrderBy(member => member.NodeId, StringComparer.Ordinal).ThenBy(member => member.Incarnation, StringComparer.Ordinal);

    private static string Say(IEnumerable<LeaseMember> members) => string.Join(
        "; ", members.Select(m => $"{m.NodeId}/{m.Incarnation} (URL '{m.Url}', target '{m.Target}', {(m.Eligible ? "eligible" : "not eligible")})"));
}
