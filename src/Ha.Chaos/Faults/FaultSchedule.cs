namespace Ha.Chaos.Faults;

/// <summary>Deals the faults like cards: all of them in a new order, then again. Every fifth time two at once.</summary>
internal sealed class FaultSchedule(IReadOnlyList<Fault> faults, Random random)
{
    private readonly Queue<Fault> _deck = new();

    public IReadOnlyList<Fault> Next()
    {
        var first = Deal();
        if (random.Next(5) > 0)
        {
            return [first];
        }

        var second = faults[random.Next(faults.Count)];
        return CanRunTogether(first, second) ? [first, second] : [first];
    }

    private static bool CanRunTogether(Fault a, Fault b) => a != b && !(a.OnNetwork && b.OnNetwork) && !(a.OnProcesses && b.OnProcesses)
        && !(a.OnStore && b.OnStore);

    private Fault Deal()
    {
        if (_deck.Count == 0)
        {
            Fault[] order = [.. faults];
            random.Shuffle(order);
            Array.ForEach(order, _deck.Enqueue);
        }

        return _deck.Dequeue();
    }
}
