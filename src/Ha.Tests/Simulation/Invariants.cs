namespace Ha.Tests.Simulation;

/// <summary>
/// Runs every checker after every event. They see what an observer outside of time sees: each node's core read with
/// that node's own clock at the same real instant, paused nodes included.
/// </summary>
internal sealed class Invariants(World world)
{
    private readonly PromiseChecker _promises = new(world);

    public EpochChecker Epochs { get; } = new(world);

    public void AfterEvent()
    {
        var nodes = world.Nodes;
        foreach (var node in nodes)
        {
            if (!node.Touched)
                continue;

            if (world.Settings.Promises)
                _promises.Observe(node);

            Epochs.Observe(node);
            NothingIsReleasedOverAWriter(node);
            OnlyWhoStandsBeginsToLead(node);
        }

        int leader = -1;
        foreach (var node in nodes)
        {
            if (node.HoldsLeaseNow())
            {
                if (leader >= 0 && world.Settings.SingleLease)
                    TwoLeaders(nodes[leader], node);

                leader = node.Index;
                if (world.Settings.Promises)
                    _promises.CoverTheAcksOf(node, node.Touched);
            }

            node.Touched = false;
        }
    }

    private void NothingIsReleasedOverAWriter(SimNode node)
    {
        if (node.Core is not { } core)
            return;

        if (world.Settings.SingleLease && node.Before.Led && node.Inside > 0 && core.ReleasedUpTo >= node.Before.Epoch)
        {
            world.Break(
                "drain: no release while a writer is inside",
                $"{node.Name} releases {SimTrace.Epoch(node.Before.Epoch)} with {node.Inside} writers inside");
        }

        if (CoreView.AdmitsWrites(core, node.LocalNow) && node.LocalNow >= core.LeaseUntil)
            world.Break("gate: only a valid lease admits writes", $"{node.Name} admits writes after its lease");
    }

    private void OnlyWhoStandsBeginsToLead(SimNode node)
    {
        if (!node.Before.Led && node.Core is { Standing.Stands: false } core && CoreView.HoldsLease(core, node.LocalNow))
            world.Break("standing: who does not stand does not become leader", Describe(node));
    }

    private void TwoLeaders(SimNode one, SimNode other) => world.Break(
        "lease: at most one leader",
        $"{Describe(one)} and {Describe(other)}");

    private static string Describe(SimNode node) =>
        $"{node.Name} leads with {SimTrace.Epoch(node.Core!.Epoch)} for another "
        + $"{SimTrace.Millis(node.Core.LeaseUntil - node.LocalNow)}{(node.Paused ? " (stopped)" : "")}";
}
