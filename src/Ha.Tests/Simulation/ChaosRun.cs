using Ha.Election;

namespace Ha.Tests.Simulation;

/// <param name="Seed">Replays the run.</param>
/// <param name="Violation">Null when all promises held.</param>
internal sealed record RunResult(
    ulong Seed, string Settings, Violation? Violation, WorldCounts Counts, long SimulatedMicros, ulong Fingerprint, string Trace);

/// <summary>
/// One seed: chaos, then calm. During the chaos the safety invariants are checked after every event; in the calm the
/// cluster has to come back within the times the protocol states.
/// </summary>
internal sealed class ChaosRun
{
    private readonly ChaosSettings _settings;
    private readonly World _world;
    private readonly FaultPlanner _faults;
    private readonly long _lease;
    private readonly long _interval;

    private ChaosRun(ulong seed, int nodes, bool trace)
    {
        _settings = ChaosSettings.For(seed, nodes, trace);
        _world = new World(_settings.World);
        _faults = new FaultPlanner(_world, _settings);
        (_lease, _interval) = (_settings.First.LeaseMicros, _settings.First.IntervalMicros);
    }

    public static RunResult Run(ulong seed, int nodes, int seconds, bool trace = false)
    {
        var run = new ChaosRun(seed, nodes, trace);
        run.Play(seconds * NodeClock.MicrosPerSecond);
        var world = run._world;
        return new RunResult(
            seed, run._settings.Describe(), world.Violation, world.Counts, world.Now, world.Trace.Fingerprint, world.Trace.Text);
    }

    /// <summary>All durations of the protocol, on the slowest allowed clock.</summary>
    private static long Slow(long duration) => duration * 101 / 99 + 1;

    private void Play(long length)
    {
        foreach (var node in _world.Nodes)
            _world.Schedule(_world.Random.Between(0, _interval), node.Start);

        _faults.Begin();
        long recovery = Slow(2 * _lease + _settings.First.QuarantineMicros()) + 2 * _settings.World.TimerSlopMicros;
        if (!_world.RunUntil(Math.Max(length - recovery - 2 * _lease, length / 3)))
            return;

        if (_settings.StaticPartition)
        {
            _faults.Heal();
            if (!_world.RunUntil(_world.Now + recovery) || !DanceUnderStaticPartition())
                return;
        }

        var ledBefore = _world.Nodes.Where(node => node.LeadsNow() && !node.Stopping).Select(node => (node.Incarnation, node.Core!.Epoch)).ToList();
        _faults.Heal();
        long healed = _world.Now;
        if (!_settings.Majority && ledBefore.Count > 1 && !OffModeSettles(ledBefore))
            return;

        long lastLed = LastLedUntil(healed + recovery);
        if (!_world.RunUntil(healed + recovery) || !SomebodyLeads(Math.Max(healed, lastLed) + recovery, recovery))
            return;

        if (_settings.AwaitLowest && !LowestLeadsInTheEnd())
            return;

        _world.RunUntil(Math.Max(length, _world.Now + 2 * _lease));
        if (_world.Violation is null && Leaders() != 1 && !MovesRightNow())
            _world.Break("liveness: a healthy cluster keeps its leader", $"{Leaders()} lead {SimTrace.Millis(_world.Now - healed)} after healing");
    }

    private int Leaders() => _world.Nodes.Count(node => node.LeadsNow());

    /// <summary>
    /// A handover that had begun before may end after the healing, by a lapse when a writer does not finish (seed 695904):
    /// the time without a leader counts from there.
    /// </summary>
    private long LastLedUntil(long until)
    {
        long lastLed = Peer.Never;
        while (_world.StepBefore(until))
        {
            if (Leaders() == 1)
                lastLed = _world.Now;
        }

        return lastLed;
    }

    private bool SomebodyLeads(long until, long within)
    {
        if (LeadsBy(until) || MovesRightNow() || !_world.Nodes.Any(CouldLead))
            return true;

        _world.Break("liveness: a leader within 2T + Q after healing", $"{Leaders()} lead after {SimTrace.Millis(within)}");
        return false;
    }

    /// <summary>A handoff or the application's floor may leave a gap of some round trips at just this instant.</summary>
    private bool MovesRightNow() => LeadsBy(_world.Now + _interval);

    private bool LeadsBy(long until)
    {
        while (Leaders() != 1 && _world.StepBefore(until))
        {
        }

        return Leaders() == 1;
    }

    private static bool CouldLead(SimNode node) => !node.Setup.Witness;

    private bool OffModeSettles(List<(Guid Incarnation, long Epoch)> ledBefore)
    {
        long grace = Slow(2 * _interval) + 8 * _settings.World.DelayMaxMicros + 2 * _settings.World.TimerSlopMicros;
        if (!_world.RunUntil(_world.Now + grace))
            return false;

        int leaders = Leaders();
        if (leaders > 1)
            _world.Break("off mode: one leader within two intervals of healing", $"{leaders} lead after {SimTrace.Millis(grace)}");
        else if (_world.Leader() is >= 0 and var leader && _world.Nodes[leader] is var winner
            && ledBefore.Exists(led => led.Incarnation != winner.Incarnation && led.Epoch >= winner.Core!.Epoch))
            _world.Break("off mode: the winner takes a higher epoch", $"{winner.Name} leads with {SimTrace.Epoch(winner.Core!.Epoch)}");

        return _world.Violation is null;
    }

    /// <summary>The pre-emption delay doubles with each loss of the last ten minutes and ends at five minutes.</summary>
    private bool LowestLeadsInTheEnd()
    {
        if (_settings.First.Preempt != PreemptMode.Auto)
            return true;

        int lowest = Array.FindIndex(_world.Nodes, CouldLead);
        if (lowest < 0)
            return true;

        long deadline = _world.Now + Slow(Math.Max(10 * _interval, 300_000_000) + 10_000_000);
        while (_world.Leader() != lowest)
        {
            if (!_world.RunUntil(_world.Now + _lease))
                return false;

            if (_world.Now > deadline)
            {
                _world.Break("liveness: the lowest eligible node leads in the end", $"{_world.Nodes[lowest].Name} does not");
                return false;
            }
        }

        return true;
    }

    /// <summary>Whatever links are broken, once things have settled leadership stays where it is.</summary>
    private bool DanceUnderStaticPartition()
    {
        string cut = NetworkFaults.CutSomeForGood(_world);
        _world.Trace.Line(_world.Now, "net", $"for good: {cut}");
        if (!_world.RunUntil(_world.Now + 10 * _lease))
            return false;

        long changes = _world.Counts.LeaderChanges;
        long bound = _world.Nodes.Length;
        if (!_world.RunUntil(_world.Now + 40 * _lease))
            return false;

        changes = _world.Counts.LeaderChanges - changes;
        if (changes > bound)
            _world.Break("liveness: leader changes are bounded under a static partition", $"{changes} changes in 40 T with {cut}");

        return _world.Violation is null;
    }
}
