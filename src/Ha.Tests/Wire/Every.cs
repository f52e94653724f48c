namespace Ha.Tests.OnTheWire;

/// <summary>Combinations for theories.</summary>
internal static class Every
{
    public static TheoryData<TFirst, TSecond> Pair<TFirst, TSecond>(IEnumerable<TFirst> firsts, IReadOnlyCollection<TSecond> seconds)
    {
        var data = new TheoryData<TFirst, TSecond>();
        foreach (var first in firsts)
        {
            foreach (var second in seconds)
            {
                data.Add(first, second);
            }
        }

        return data;
    }
}
