using Ha.Chaos.History;

namespace Ha.Chaos.Checking;

/// <summary>What clients saw of one fault: from its beginning to the beginning of the next.</summary>
/// <param name="Name">The fault.</param>
/// <param name="HitLeader">Whether it was aimed at the leader.</param>
/// <param name="LongestGap">The longest time without an acknowledged write, in microseconds.</param>
internal sealed record Episode(string Name, bool HitLeader, long LongestGap, int Acknowledged, int Failed, int Unknown);

internal static class Availability
{
    public static IReadOnlyList<Episode> Episodes(IReadOnlyCollection<HistoryLine> history)
    {
        var begins = history.OfType<FaultLine>().Where(f => f.Phase == FaultPhase.Begin).OrderBy(f => f.At).ToArray();
        var writes = history.OfType<Operation>().Where(o => o.IsWrite).ToArray();
        var ends = writes.Where(w => w.Outcome == Outcome.Ok).Select(w => w.Completed).Order().ToArray();
        var last = history.OfType<FaultLine>().Where(f => f.Phase >= FaultPhase.Recovered).Select(f => f.At).DefaultIfEmpty().Max();
        var byBegin = writes.OrderBy(w => w.Invoked).ToArray();
        var invoked = Array.ConvertAll(byBegin, w => w.Invoked);
        return [.. begins.Select((fault, i) =>
        {
            var end = i + 1 < begins.Length ? begins[i + 1].At : Math.Max(last, fault.At);
            var during = byBegin.AsSpan()[First(invoked, fault.At)..First(invoked, end)];
            var counts = new int[3];
            foreach (var write in during)
            {
                counts[(int)write.Outcome]++;
            }

            return new Episode(fault.Name, fault.HitLeader, LongestGap(ends, fault.At, end), counts[0], counts[1], counts[2]);
        })];
    }

    private static long LongestGap(long[] ends, long from, long to)
    {
        var (longest, before) = (0L, from);
        for (var i = First(ends, from); i < ends.Length && ends[i] <= to; i++)
        {
            longest = Math.Max(longest, ends[i] - before);
            before = ends[i];
        }

        return Math.Max(longest, to - before);
    }

    /// <summary>The index of the first that is not below.</summary>
    private static int First(long[] sorted, long least)
    {
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = sorted[middle] < least ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
