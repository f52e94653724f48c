namespace Ha.Tests.Simulation;

/// <summary>The shapes in which a network breaks.</summary>
internal static class NetworkFaults
{
    public static void Apply(World world, Faults fault, SimNode node, long until)
    {
        int count = world.Nodes.Length;
        var random = world.Random;
        string shape;
        switch (fault)
        {
            case Faults.Split:
                long side = random.Chance(400) ? 1L << node.Index : random.Between(1, (1L << count) - 1);
                CutWhere(world, until, (from, to) => ((side >> from) & 1) != ((side >> to) & 1));
                shape = "splits in two";
                break;
            case Faults.OneWay:
                bool deaf = random.Chance(500);
                bool whole = random.Chance(500);
                int other = random.Index(count);
                CutWhere(world, until, (from, to) =>
                    (deaf ? to : from) == node.Index && (whole || (deaf ? from : to) == other));
                shape = $"{(deaf ? "no longer reaches" : "no longer carries anything from")} {node.Name}";
                break;
            case Faults.Hub:
                CutWhere(world, until, (from, to) => from != node.Index && to != node.Index);
                shape = $"only knows ways over {node.Name}";
                break;
            case Faults.Chain:
                int turn = random.Index(count);
                CutWhere(world, until, (from, to) => Math.Abs((from + turn) % count - (to + turn) % count) > 1);
                shape = "becomes a chain";
                break;
            case Faults.Clog:
                bool all = random.Chance(500);
                int one = random.Index(count);
                Where(world, (from, to) => from == node.Index && (all || to == one), (from, to) => world.Network.Clog(from, to, until));
                shape = $"clogs behind {node.Name}";
                break;
            case Faults.Loss:
                Where(world, (from, to) => from == node.Index || to == node.Index, (from, to) => world.Network.MakeLossy(from, to, until));
                shape = $"loses half of all packets from and to {node.Name}";
                break;
            default:
                return;
        }

        world.Trace.Line(world.Now, "net", $"{shape} for {SimTrace.Millis(until - world.Now)}");
    }

    /// <summary>Links that fail for good, one by one, in any direction: the worst lasting topology there is.</summary>
    public static string CutSomeForGood(World world)
    {
        int share = world.Random.Pick(100, 300, 500);
        bool oneWay = world.Random.Chance(500);
        var cut = new List<string>();
        Where(world, (from, to) => (oneWay || from < to) && world.Random.Chance(share), (from, to) =>
        {
            world.Network.Cut(from, to, long.MaxValue);
            if (!oneWay)
                world.Network.Cut(to, from, long.MaxValue);

            cut.Add($"{world.Nodes[from].Name}-{(oneWay ? ">" : "")}{world.Nodes[to].Name}");
        });
        return string.Join(' ', cut);
    }

    private static void CutWhere(World world, long until, Func<int, int, bool> which) =>
        Where(world, which, (from, to) => world.Network.Cut(from, to, until));

    private static void Where(World world, Func<int, int, bool> which, Action<int, int> act)
    {
        for (int from = 0; from < world.Nodes.Length; from++)
        {
            for (int to = 0; to < world.Nodes.Length; to++)
            {
                if (from != to && which(from, to))
                    act(from, to);
            }
        }
    }
}
