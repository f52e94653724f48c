using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>Breaks things at random instants until told to stop; half of all faults are aimed at the current leader.</summary>
internal sealed class FaultPlanner(World world, ChaosSettings settings)
{
    private readonly long _lease = settings.First.LeaseMicros;
    private readonly Faults[] _enabled = [.. Enum.GetValues<Faults>()
        .Where(fault => int.IsPow2((int)fault) && settings.Enabled.HasFlag(fault))];

    private bool _over;

    private SimRandom Random => world.Random;

    public void Begin()
    {
        world.Network.DuplicatePermille = settings.DuplicatePermille;
        world.Network.SlowPermille = settings.SlowPermille;
        world.Network.SlowMax = 3 * _lease;
        if (_enabled.Length > 0)
            world.Schedule(world.Now + Random.Exponential(settings.FaultEveryMicros), Strike);
    }

    /// <summary>Ends all faults: links heal, pauses end, dead nodes start.</summary>
    public void Heal()
    {
        _over = true;
        world.Trace.Line(world.Now, "net", "everything heals");
        world.Network.Heal();
        foreach (var node in world.Nodes)
        {
            Continue(node, node.Life);
            node.StarvedUntil = node.StoreDownUntil = 0;
            node.StandAgain();
            if (node.Stopping)
                node.Crash("its end is not waited for");

            if (node.Core is null)
                node.Start();
        }
    }

    private void Strike()
    {
        if (_over)
            return;

        world.Counts.Faults++;
        Apply(Random.Pick<Faults>(_enabled), Target());
        world.Schedule(world.Now + Random.Exponential(settings.FaultEveryMicros), Strike);
    }

    private SimNode Target()
    {
        int leader = world.Leader();
        return world.Nodes[leader >= 0 && Random.Chance(500) ? leader : Random.Index(world.Nodes.Length)];
    }

    private void Apply(Faults fault, SimNode node)
    {
        switch (fault)
        {
            case Faults.Crash:
                CrashAndRestart(node);
                break;
            case Faults.MassCrash:
                MassCrash();
                break;
            case Faults.Pause:
                Pause(node, Random.Between(_lease / 20, _lease));
                break;
            case Faults.LongPause:
                Pause(node, Random.Between(_lease, 3 * _lease));
                break;
            case Faults.Rate:
                node.Clock.SetRate(world.Now, (int)Random.Between(-10_000, 10_000));
                world.Trace.Line(world.Now, node.Name, "its clock changes its rate");
                break;
            case Faults.Wall:
                node.Clock.SetWallSkew(ChaosSettings.WallSkew(Random, settings.Walls, _lease));
                world.Trace.Line(world.Now, node.Name, $"its wall clock steps to a skew of {SimTrace.Millis(node.Clock.WallSkew)}");
                break;
            case Faults.StepDown when node is { Core: not null, Paused: false }:
                node.StepDown(Random.Chance(500) ? world.Nodes[Random.Index(world.Nodes.Length)].Setup.Id : null, HandoffReason.StepDown);
                break;
            case Faults.Standing when node is { Core: not null, Paused: false }:
                ChangeStanding(node);
                break;
            case Faults.Terminate:
                Terminate(node);
                break;
            case Faults.Starve:
                node.StarvedUntil = world.Now + Random.Between(_lease / 4, 2 * _lease);
                world.Trace.Line(world.Now, node.Name, "its timers starve");
                break;
            case Faults.Store:
                node.StoreDownUntil = world.Now + Random.Between(_lease / 4, 8 * _lease);
                world.Trace.Line(world.Now, node.Name, "its application cannot reach the database");
                break;
            case Faults.Churn:
                Churn(node, Random.Index(4) + 2);
                break;
            default:
                NetworkFaults.Apply(world, fault, node, world.Now + Length());
                break;
        }
    }

    private void ChangeStanding(SimNode node)
    {
        switch (Random.Index(4))
        {
            case 0:
                node.StandAside(Random.Chance(300) ? world.Nodes[Random.Index(world.Nodes.Length)].Setup.Id : null);
                break;
            case 1:
                node.SetTrouble(node.Core!.Standing.Trouble is null ? "its database is gone" : null);
                break;
            default:
                node.StandAgain();
                break;
        }
    }

    /// <summary>From a blink to several leases: both sides of every timeout.</summary>
    private long Length() => Random.Pick(
        Random.Between(1_000, _lease / 4), Random.Between(_lease / 4, _lease), Random.Between(_lease, 4 * _lease));

    private void Pause(SimNode node, long length)
    {
        if (node.Core is null || node.Paused)
            return;

        int life = node.Life;
        node.Pause("its process gets no CPU");
        if (settings.VmStops)
            node.Clock.Stop(world.Now);

        world.Schedule(world.Now + length, () => Continue(node, life));
    }

    private void Continue(SimNode node, int life)
    {
        if (!node.Paused || node.Life != life)
            return;

        if (settings.VmStops)
            node.Clock.Continue(world.Now);

        node.Resume(shuffled: Random.Chance(300));
    }

    private void CrashAndRestart(SimNode node)
    {
        if (node.Core is null || !MayForget(node))
            return;

        node.Crash("crash");
        RestartIn(node, RestartDelay());
    }

    private long RestartDelay() => Random.Pick(
        1_000, Random.Between(1_000, _lease / 4), Random.Between(_lease / 4, 4 * _lease));

    private void RestartIn(SimNode node, long delay) => world.Schedule(world.Now + delay, () =>
    {
        if (!_over && node.Core is null)
            node.Start();
    });

    private void MassCrash()
    {
        if (settings.Walls == WallRegime.Wild)
            return;

        int victims = Random.Index(world.Nodes.Length) + 1;
        long apart = Random.Pick(0L, 1_000L, _lease / 2);
        foreach (var node in world.Nodes)
        {
            if (victims-- <= 0)
                break;

            world.Schedule(world.Now + Random.Between(0, apart), () =>
            {
                if (!_over)
                    CrashAndRestart(node);
            });
        }
    }

    private void Terminate(SimNode node)
    {
        // Between the signal and the end an epoch may be won that this node alone remembers.
        if (settings.Walls != WallRegime.Wild)
            node.Terminate(() => RestartIn(node, RestartDelay()));
    }

    /// <summary>A crash loop.</summary>
    private void Churn(SimNode node, int times)
    {
        if (_over || times == 0 || settings.Walls == WallRegime.Wild)
            return;

        CrashAndRestart(node);
        world.Schedule(world.Now + Random.Between(_lease / 2, 3 * _lease), () => Churn(node, times - 1));
    }

    /// <summary>
    /// When wall clocks prove nothing, epochs live in the members' memories alone. So a node may only forget while
    /// every other member runs, hears it, and has outlived its own last loss of memory by a good while.
    /// </summary>
    private bool MayForget(SimNode victim)
    {
        if (settings.Walls != WallRegime.Wild)
            return true;

        if (world.Nodes.Length == 1)
            return false;

        foreach (var node in world.Nodes)
        {
            if (node.Core is null || node.Paused || node.Stopping || node.Core.IsQuarantined(node.LocalNow))
                return false;

            foreach (var other in world.Nodes)
            {
                if (node != other && !world.Network.Healthy(node.Index, other.Index))
                    return false;
            }

            if (!KnowsTheHighestEpoch(node) && node != victim)
                return false;
        }

        return true;
    }

    private bool KnowsTheHighestEpoch(SimNode node) =>
        node.Core!.Voter.Floor >= world.Epochs.Highest || node.HighestEpochSaid >= world.Epochs.Highest;
}
