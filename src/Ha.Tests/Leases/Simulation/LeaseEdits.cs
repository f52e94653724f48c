namespace Ha.Tests.Leases.Simulation;

/// <summary>
/// What somebody does to the record by hand. Not among it, because it is what a store does that goes back in time: putting back a
/// record that was there before; nor is a release with all its marks, which says that nobody leads.
/// </summary>
internal static class LeaseEdits
{
    public static void Apply(LeaseWorld world)
    {
        var random = world.Random;
        var record = world.Store.Record;
        if (record is null || random.Chance(250))
        {
            world.Store.Edit(null, "deleted");
            return;
        }

        var node = world.Nodes[random.Index(world.Nodes.Length)];
        var lasting = Lasting(record, world);
        var (edited, what) = random.Index(8) switch
        {
            0 => (record with { HolderId = null, Duration = lasting }, "its holder is struck out"),
            1 => (record with { HolderId = null, Url = "", Target = "", Successor = node.Name, Duration = lasting }, $"left to {node.Name}"),
            2 => (record with { HolderId = node.Name, Incarnation = node.Incarnation.ToString("N"), Duration = lasting }, $"given to {node.Name}"),
            3 => (record with { HolderId = "stranger", Incarnation = random.NextGuid().ToString("N"), Duration = lasting }, "given away"),
            4 => (record with { Epoch = Math.Max(1, record.Epoch - random.Pick(1L, 1_000_000L, record.Epoch)) }, "its epoch is lowered"),
            5 => (record with { Duration = TimeSpan.FromMicroseconds(random.Pick(1, world.Settings.LongestMicros)) }, "its duration is changed"),
            6 => (record with { Epoch = random.Pick(0L, -1L, long.MaxValue) }, "its epoch is nonsense"),
            _ => (record with { Duration = TimeSpan.FromSeconds(-1) }, "its duration is nonsense"),
        };
        world.Store.Edit(edited, what);
    }

    /// <summary>A released record stays one: nobody leads by it.</summary>
    private static TimeSpan Lasting(LeaseRecord record, LeaseWorld world) =>
        record.Duration > TimeSpan.Zero ? record.Duration : TimeSpan.FromMicroseconds(world.Settings.LeaseMicros);
}
