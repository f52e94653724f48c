using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

/// <param name="Seed">Replays the run.</param>
/// <param name="Violation">Null when all promises held.</param>
internal sealed record LeaseResult(
    ulong Seed, string Settings, Violation? Violation, LeaseCounts Counts, long SimulatedMicros, ulong Fingerprint, string Trace);

/// <summary>One seed: chaos, then calm, in which the cluster has to come back in bounded time and then stay as it is.</summary>
internal static class LeaseRun
{
    private const int ChaosLeases = 30;
    private const int CalmLeases = 5;

    public static LeaseResult Run(ulong seed, int nodes = 0, bool goesBack = false, bool trace = false)
    {
        var settings = LeaseSettings.For(seed, nodes, goesBack, trace);
        var world = new LeaseWorld(settings);
        Play(world, settings);
        return new LeaseResult(
            seed, settings.ToString(), world.Violation, world.Counts, world.Now, world.Trace.Fingerprint, world.Trace.Text);
    }

    private static void Play(LeaseWorld world, LeaseSettings settings)
    {
        long lease = settings.LeaseMicros;
        foreach (var node in world.Nodes)
        {
            node.Gone = node.Index > 0 && settings.Faults.HasFlag(LeaseFaults.JoinOrLeave) && world.Random.Chance(300);
            world.Schedule(world.Random.Between(0, lease / 2), node.StartAgain);
        }

        var faults = new LeaseFaultPlanner(world);
        faults.Begin();
        Knock(world);
        if (!world.RunUntil(ChaosLeases * lease))
            return;

        faults.Heal();
        if (!world.RunUntil(world.Now + Bound(settings), () => Leader(world) is not null))
        {
            if (world.Violation is null)
                world.Break("liveness: a leader in bounded time", $"nobody leads {SimTrace.Millis(Bound(settings))} after healing");

            return;
        }

        Settle(world, settings);
    }

    /// <summary>
    /// A handoff that had begun drains and runs out; a write of before comes late; a record is waited for, all on the slowest clock;
    /// calls that hung and jitter add half a lease. A node that could not raise the fence stands back for five patiences.
    /// </summary>
    private static long Bound(LeaseSettings settings)
    {
        long fence = settings.AwaitFloor ? 6 * settings.FencePatienceMicros : 0;
        long sum = settings.DrainMicros + settings.SlowMaxMicros + 2 * settings.LongestMicros + 2 * settings.LeaseMicros + fence;
        return sum * 101 / 99 + 4 * (settings.TimerSlopMicros + settings.DelayMaxMicros);
    }

    /// <summary>What was under way at the healing is over by then; after it, leadership stays where it is.</summary>
    private static void Settle(LeaseWorld world, LeaseSettings settings)
    {
        long lease = settings.LeaseMicros;
        if (!world.RunUntil(world.Now + Bound(settings)) || !world.RunUntil(world.Now + lease, () => Leader(world) is not null))
        {
            if (world.Violation is null)
                world.Break("liveness: a healthy cluster keeps its leader", "nobody leads long after the healing");

            return;
        }

        var leader = Leader(world)!;
        long leaderships = world.Counts.Leaderships;
        if (world.RunUntil(world.Now + CalmLeases * lease) && (Leader(world) != leader || world.Counts.Leaderships != leaderships))
            world.Break("liveness: a healthy cluster keeps its leader", $"{leader.Name} led, and does not any more");
    }

    private static LeaseNode? Leader(LeaseWorld world) => Array.Find(world.Nodes, node => node.Leads());

    private static void Knock(LeaseWorld world)
    {
        foreach (var node in world.Nodes)
            node.TryEnterWriter();

        world.Schedule(world.Now + world.Random.Exponential(world.Settings.LeaseMicros / 4), () => Knock(world));
    }
}
