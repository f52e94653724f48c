namespace Ha.Tests.Simulation;

/// <summary>
/// Remembers what every voter promised, also when the voter's process has died and forgot it. Two laws follow the
/// promises: a voter's promises to different holders never overlap, and every ack that a leader counts ends, in real
/// time, before the promise behind it does.
/// </summary>
internal sealed class PromiseChecker(World world)
{
    private readonly Promise[] _promises = new Promise[world.Nodes.Length];
    private readonly int[] _madeInLife = new int[world.Nodes.Length];
    private readonly long[] _lastReleased = new long[world.Nodes.Length];
    private readonly long[] _lastCancelled = new long[world.Nodes.Length];
    private readonly Dictionary<Guid, GivenUp> _givenUp = [];

    public void Observe(SimNode node)
    {
        if (node.Core is not { } core)
            return;

        int index = node.Index;
        NoteWhatIsGivenUp(node, core.ReleasedUpTo, core.CancelledEpoch);
        var seen = CoreView.PromiseOf(core);
        ref var kept = ref _promises[index];
        long now = node.LocalNow;
        bool binding = kept.Exists && now < kept.Until;
        if (!seen.Exists)
        {
            if (binding && _madeInLife[index] == node.Life && !MayEnd(node, kept))
                Broken(node, kept, "and freed its vote early");

            if (_madeInLife[index] == node.Life)
                kept = default;

            return;
        }

        if (seen == kept)
            return;

        if (binding && !MayEnd(node, kept))
        {
            if (!seen.IsFor(kept.Holder, kept.Incarnation))
                Broken(node, kept, $"and now promises {SimTrace.Epoch(seen.Epoch)} to {seen.Holder}");
            else if (seen.Until < kept.Until || seen.Epoch < kept.Epoch)
                Broken(node, kept, "and takes a part of it back");
        }

        kept = seen;
        _madeInLife[index] = node.Life;
    }

    /// <summary>Called for a node that leads at this instant.</summary>
    public void CoverTheAcksOf(SimNode leader, bool alsoTheEnds)
    {
        long now = leader.LocalNow;
        foreach (var voter in world.Nodes)
        {
            int peer = voter == leader ? -1 : leader.PeerOf(voter);
            if (peer < 0 && voter != leader)
                continue;

            long counted = CoreView.AckUntil(leader.Core!, peer);
            if (counted <= now)
                continue;

            ref readonly var promise = ref _promises[voter.Index];
            if (!promise.Exists || !promise.IsFor(leader.Setup.Id, leader.Incarnation))
                Uncovered(leader, voter, counted - now, promise.Exists ? $"which is promised to {promise.Holder}" : "which has promised nothing");
            else if (voter.LocalNow >= promise.Until)
                Uncovered(leader, voter, counted - now, "whose promise is over");
            else if (alsoTheEnds && leader.Clock.RealAt(counted) > voter.Clock.RealAt(promise.Until))
                Uncovered(leader, voter, counted - now, $"whose promise ends in {SimTrace.Millis(promise.Until - voter.LocalNow)}");
        }
    }

    /// <summary>A promise ends early only because its holder gave it up, irrevocably. One's own vote is judged by its acks.</summary>
    private bool MayEnd(SimNode voter, in Promise promise) =>
        promise.IsFor(voter.Setup.Id, voter.Incarnation)
        || (_givenUp.TryGetValue(promise.Incarnation, out var given)
            && (promise.Epoch <= given.ReleasedUpTo || given.Cancelled.Contains(promise.Epoch)));

    private void NoteWhatIsGivenUp(SimNode node, long released, long cancelled)
    {
        if (released != _lastReleased[node.Index] || cancelled != _lastCancelled[node.Index])
        {
            _lastReleased[node.Index] = released;
            _lastCancelled[node.Index] = cancelled;
            if (!_givenUp.TryGetValue(node.Incarnation, out var given))
                _givenUp[node.Incarnation] = given = new GivenUp();

            given.ReleasedUpTo = Math.Max(given.ReleasedUpTo, released);
            if (cancelled > 0)
                given.Cancelled.Add(cancelled);
        }
    }

    private void Broken(SimNode voter, in Promise kept, string how) => world.Break(
        "vote: promises do not overlap",
        $"{voter.Name} has promised {SimTrace.Epoch(kept.Epoch)} to {kept.Holder} "
        + $"for another {SimTrace.Millis(kept.Until - voter.LocalNow)} {how}");

    private void Uncovered(SimNode leader, SimNode voter, long rest, string why) => world.Break(
        "ack: every counted ack is covered by a promise",
        $"{leader.Name} counts {SimTrace.Millis(rest)} more on {voter.Name}, {why}");

    private sealed class GivenUp
    {
        public long ReleasedUpTo;
        public readonly HashSet<long> Cancelled = [];
    }
}
