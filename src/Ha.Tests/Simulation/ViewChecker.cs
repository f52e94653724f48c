using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>
/// Whether what one node reports of a leader elsewhere is true. For worlds in which every message arrives: in any other
/// a node may well lose sight of a leader that is still there.
/// </summary>
internal sealed class ViewChecker(World world, SimNode node)
{
    private (int Life, string? Leader, long Epoch) _seen;

    public void Observe(in ElectionEvent told)
    {
        if (told.Kind == ElectionEventKind.LeaderLost)
            TheLossIsReal(told);
        else if (told.Kind == ElectionEventKind.LeaderSeen)
            TheLeaderIsNew(told);
    }

    private void TheLossIsReal(ElectionEvent lost)
    {
        var leader = Array.Find(world.Nodes, other => other.Name == lost.Node)!;
        if (leader.HoldsLeaseNow() && leader.Core!.Epoch == lost.Epoch)
        {
            world.Break(
                "view: no loss is reported of a leader that holds its lease",
                $"{node.Name} says that {lost.Node} of {SimTrace.Epoch(lost.Epoch)} is gone: {lost.Why}; it leads for another "
                + SimTrace.Millis(leader.Core.LeaseUntil - leader.LocalNow));
        }
    }

    private void TheLeaderIsNew(ElectionEvent seen)
    {
        var now = (node.Life, seen.Node, seen.Epoch);
        if (now == _seen)
            world.Break("view: a leader is announced once", $"{node.Name} announces {seen.Node} of {SimTrace.Epoch(seen.Epoch)} again");

        _seen = now;
    }
}
