namespace Ha.Tests.Simulation;

/// <summary>
/// Every acquisition (a won lease or a bump) carries a higher epoch than all before it, whoever won them, and a node
/// that leads again shows a new generation. Also the historian: who led, and how often that changed.
/// </summary>
internal sealed class EpochChecker(World world)
{
    private readonly long[] _generation = new long[world.Nodes.Length];
    private readonly int[] _life = new int[world.Nodes.Length];
    private readonly long[] _admittedEpoch = new long[world.Nodes.Length];
    private long _highestAdmitting;

    public long Highest { get; private set; }

    /// <summary>The node that last became leader; -1 before the first.</summary>
    public int LastLeader { get; private set; } = -1;

    public long LastAcquiredAt { get; private set; }

    public void Observe(SimNode node)
    {
        if (node.Core is not { } core)
            return;

        long now = node.LocalNow;
        if (CoreView.HoldsLease(core, now) && (!node.Before.Led || core.Epoch != node.Before.Epoch))
            Acquired(node, core.Epoch, core.Generation);

        // With the application's floor the promise is about the epochs that writes run with.
        if (world.Settings.Epochs == EpochRule.RisingForWrites && CoreView.AdmitsWrites(core, now)
            && core.Epoch != _admittedEpoch[node.Index])
        {
            _admittedEpoch[node.Index] = core.Epoch;
            if (core.Epoch <= _highestAdmitting)
                TooLow(node, core.Epoch, _highestAdmitting);

            _highestAdmitting = Math.Max(_highestAdmitting, core.Epoch);
        }
    }

    private void Acquired(SimNode node, long epoch, long generation)
    {
        bool bump = node.Before.Led;
        if (epoch <= Highest && world.Settings.Epochs == EpochRule.Rising)
            TooLow(node, epoch, Highest);

        if (!bump && _life[node.Index] == node.Life && generation <= _generation[node.Index])
            world.Break("generation: grows with every term", $"{node.Name} leads again in generation {generation}");

        _life[node.Index] = node.Life;
        _generation[node.Index] = generation;
        Highest = Math.Max(Highest, epoch);
        world.Counts.Acquisitions++;
        if (bump)
            return;

        LastLeader = node.Index;
        LastAcquiredAt = world.Now;
        world.Counts.LeaderChanges++;
        world.Trace.Line(world.Now, node.Name, $"=== leads with {SimTrace.Epoch(epoch)} ===");
    }

    private void TooLow(SimNode node, long epoch, long highest) => world.Break(
        "epoch: strictly rising per acquisition",
        $"{node.Name} leads with {SimTrace.Epoch(epoch)} after {SimTrace.Epoch(highest)}");
}
