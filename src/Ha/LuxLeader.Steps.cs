using Ha.Election;
using Ha.Leadership;

namespace Ha;

// One step of the core under the lock, and what follows from it outside.
public sealed partial class LuxLeader
{
    private void OnTimer()
    {
        Effects effects;
        lock (_lock)
        {
            var (now, wall) = ReadClocks();
            _core.Tick(now, wall);
            effects = SettleNeedsLock();
        }

        Act(effects);
    }

    private void Step(Action<ElectionCore, long> step)
    {
        Effects effects;
        lock (_lock)
        {
            step(_core, _clock.NowMicros());
            effects = SettleNeedsLock();
        }

        Act(effects);
    }

    /// <summary>
    /// Both clocks at one moment: a thread that a busy machine stops between the two reads would take that for a jump
    /// of the wall clock, and a leader would admit no writes until a majority has answered.
    /// </summary>
    private (long Now, long Wall) ReadClocks()
    {
        for (var reads = 1; ; reads++)
        {
            var now = _clock.NowMicros();
            var wall = _clock.WallMicros();
            if (reads == MaxClockReads || _clock.NowMicros() - now < MaxClockReadMicros)
            {
                return (now, wall);
            }
        }
    }

    /// <summary>Publishes what the step changed and collects what is to be done outside the lock.</summary>
    private Effects SettleNeedsLock()
    {
        var stopping = _stopping.IsCancellationRequested;
        List<(int, Beat)>? beats = null;
        for (var peer = 0; peer < _core.PeerCount; peer++)
        {
            if (!stopping && _core.WantsBeat(peer) && !_sending[peer])
            {
                _sending[peer] = true;
                var (sentAt, wall) = ReadClocks();
                (beats ??= []).Add((peer, _core.CreateBeat(peer, sentAt, wall)));
            }
        }

        // Building a message lets time pass in the core, so this comes last; no byte leaves before the lock is released.
        var now = _clock.NowMicros();
        var published = _publisher.PublishNeedsLock(_core, now, _shuttingDown);
        _events.AddNeedsLock(_core.TakeEvents());
        if (stopping)
        {
            return new Effects(published, null, Drain: false, RaiseFenceTo: null);
        }

        if (_shuttingDown && _core.Role != NodeRole.Leader && _core.ReleaseIsKnown(now))
        {
            _releaseKnown.TrySetResult();
        }

        var drain = _core.GateClosed && !_drainRuns;
        _drainRuns |= drain;
        var raiseFence = _core.NeedsEpochFloor && _fenceRaisedFor != _core.Epoch;
        if (raiseFence)
        {
            _fenceRaisedFor = _core.Epoch;
        }

        var wait = Math.Max(1, (_core.NextDeadline - now + 999) / 1000);
        _timer.Change(TimeSpan.FromMilliseconds(wait), Timeout.InfiniteTimeSpan);
        return new Effects(published, beats, drain, raiseFence ? _core.Epoch : null);
    }

    private void Act(Effects effects)
    {
        effects.Published.Fire();
        if (effects.Beats is { } beats)
        {
            foreach (var (peer, beat) in beats)
            {
                _sends[peer] = SendAsync(peer, beat);
            }
        }

        _events.Tell();
        if (effects.Drain)
        {
            _ = DrainAsync();
        }

        if (effects.RaiseFenceTo is { } epoch)
        {
            _ = RaiseFenceAsync(epoch);
        }
    }

    /// <summary>
    /// A log or a meter listener of the application may throw. That must cost neither the process, which an exception
    /// in the timer would, nor the loops that drain and ask for the stored epoch.
    /// </summary>
    private static void Tell(Action report)
    {
        try
        {
            report();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // What would be said about it would be said to the same listeners.
        }
    }

    private readonly record struct Effects(
        Published Published, List<(int Peer, Beat Beat)>? Beats, bool Drain, long? RaiseFenceTo);
}
