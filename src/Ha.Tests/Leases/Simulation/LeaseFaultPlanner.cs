using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

/// <summary>Breaks things at random instants until told to stop; half of all faults are aimed at the current leader.</summary>
internal sealed class LeaseFaultPlanner(LeaseWorld world)
{
    private readonly long _lease = world.Settings.LeaseMicros;
    private readonly LeaseFaults[] _enabled = [.. Enum.GetValues<LeaseFaults>()
        .Where(fault => fault != LeaseFaults.None && world.Settings.Faults.HasFlag(fault))];

    private SimRandom Random => world.Random;

    public void Begin()
    {
        if (_enabled.Length > 0)
            world.Schedule(world.Now + Random.Exponential(world.Settings.FaultEveryMicros), Strike);
    }

    /// <summary>Ends all faults: links heal, pauses end, dead nodes start, at least one node is there.</summary>
    public void Heal()
    {
        world.Healed = true;
        world.Trace.Line(world.Now, "net", "everything heals");
        world.Store.Heal();
        if (Array.TrueForAll(world.Nodes, node => node.Gone))
            world.Nodes[0].Gone = false;

        foreach (var node in world.Nodes)
        {
            node.Resume();
            node.CutUntil = node.LateUntil = node.FenceAwayUntil = 0;
            node.StartAgain();
            node.StandAgain();
        }
    }

    private void Strike()
    {
        if (world.Healed)
            return;

        world.Counts.Faults++;
        var leader = Array.Find(world.Nodes, node => node.Leads());
        var fault = Random.Pick<LeaseFaults>(_enabled);
        Apply(fault, leader is not null && Random.Chance(500) ? leader : world.Nodes[Random.Index(world.Nodes.Length)]);
        world.Schedule(world.Now + Random.Exponential(world.Settings.FaultEveryMicros), Strike);
    }

    private void Apply(LeaseFaults fault, LeaseNode node)
    {
        switch (fault)
        {
            case LeaseFaults.Crash when node.Core is not null:
                node.Crash("crash");
                long delay = Random.Pick(1_000, Random.Between(0, _lease), Random.Between(_lease, 4 * _lease));
                world.Schedule(world.Now + delay, node.StartAgain);
                break;
            case LeaseFaults.Pause:
                Pause(node, Random.Between(_lease / 20, _lease));
                break;
            case LeaseFaults.LongPause:
                Pause(node, Random.Between(_lease, 3 * _lease));
                break;
            case LeaseFaults.Rate:
                node.Clock.SetRate(world.Now, world.Settings.Rate(Random));
                break;
            case LeaseFaults.Wall:
                node.Clock.SetWallSkew(Random.Between(-world.Settings.WallSkewMicros / 2, world.Settings.WallSkewMicros / 2));
                world.Trace.Line(world.Now, node.Name, $"its wall clock steps to a skew of {SimTrace.Millis(node.Clock.WallSkew)}");
                break;
            case LeaseFaults.StepDown:
                node.StepDown(Random.Chance(500) ? world.Nodes[Random.Index(world.Nodes.Length)].Name : null);
                break;
            case LeaseFaults.Standing:
                node.ChangeStanding(Random.Index(4));
                break;
            case LeaseFaults.Terminate:
                node.Terminate();
                break;
            case LeaseFaults.Cut:
                node.CutUntil = world.Now + Length();
                world.Trace.Line(world.Now, node.Name, "is cut off from the store");
                break;
            case LeaseFaults.Brownout:
                Brownout(node);
                break;
            case LeaseFaults.StoreRefuses:
                world.Store.RefusesUntil = world.Now + Length();
                world.Trace.Line(world.Now, "store", "refuses");
                break;
            case LeaseFaults.StoreSilent:
                world.Store.SilentUntil = world.Now + Length();
                world.Trace.Line(world.Now, "store", "is silent");
                break;
            case LeaseFaults.StoreStops:
                world.Store.StoppedUntil = world.Now + Length();
                world.Trace.Line(world.Now, "store", "stands still");
                break;
            case LeaseFaults.StoreClock:
                world.Store.StepClock(Random.Between(-2 * _lease, 2 * _lease));
                world.Trace.Line(world.Now, "store", "its clock steps");
                break;
            case LeaseFaults.Flood:
                Flood(Random.Index(40));
                break;
            case LeaseFaults.FenceAway:
                node.FenceAwayUntil = world.Now + Random.Between(_lease / 4, 6 * _lease);
                break;
            case LeaseFaults.Outsider:
                world.Fence.Raise(world.Fence.Epoch + Random.Pick(1L, 1_000L, 60_000_000L), Random.NextGuid(), "an outsider");
                break;
            case LeaseFaults.JoinOrLeave:
                JoinOrLeave(node);
                break;
            case LeaseFaults.Edit:
                LeaseEdits.Apply(world);
                break;
            case LeaseFaults.GoBack:
                world.Store.GoBack();
                break;
        }
    }

    /// <summary>From a blink to several leases: both sides of every timeout.</summary>
    private long Length() => Random.Pick(
        Random.Between(1_000, _lease / 4), Random.Between(_lease / 4, _lease), Random.Between(_lease, 3 * _lease));

    private void Pause(LeaseNode node, long length)
    {
        int life = node.Life;
        node.Pause();
        world.Schedule(world.Now + length, () =>
        {
            if (node.Life == life)
                node.Resume();
        });
    }

    private static void JoinOrLeave(LeaseNode node)
    {
        if (node.Gone)
        {
            node.Gone = false;
            node.StartAgain();
        }
        else
        {
            node.Gone = true;
            node.Terminate();
        }
    }

    /// <summary>A link that gets slower before it breaks.</summary>
    private void Brownout(LeaseNode node)
    {
        node.LateUntil = world.Now + Random.Between(_lease / 2, 2 * _lease);
        node.LateBy = Random.Between(_lease / 20, _lease / 3);
        world.Trace.Line(world.Now, node.Name, $"gets answers {SimTrace.Millis(node.LateBy)} late");
        world.Schedule(node.LateUntil, () =>
        {
            if (!world.Healed)
                node.CutUntil = world.Now + 2 * _lease;
        });
    }

    private void Flood(int more)
    {
        foreach (var node in world.Nodes)
            node.WakeUp();

        if (more > 0 && !world.Healed)
            world.Schedule(world.Now + _lease / 200, () => Flood(more - 1));
    }
}
