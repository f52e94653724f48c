namespace Ha.Cli.Cluster;

/// <summary>How many things happened in each of the last half seconds. Not thread-safe.</summary>
internal sealed class RateHistory(TimeProvider clock)
{
    private const int Kept = 512;
    private static readonly TimeSpan _bucket = TimeSpan.FromMilliseconds(500);

    private readonly int[] _counts = new int[Kept];
    private readonly long _start = clock.GetTimestamp();
    private long _newest;

    public void Add()
    {
        MoveOn();
        _counts[_newest % Kept]++;
    }

    /// <summary>The last <paramref name="count"/> finished buckets, oldest first.</summary>
    public int[] Recent(int count)
    {
        MoveOn();
        var recent = new int[Math.Min(count, Kept - 1)];
        for (var i = 0; i < recent.Length; i++)
        {
            var bucket = _newest - recent.Length + i;
            recent[i] = bucket < 0 ? 0 : _counts[bucket % Kept];
        }

        return recent;
    }

    private void MoveOn()
    {
        var now = (long)(clock.GetElapsedTime(_start) / _bucket);
        for (var bucket = Math.Max(_newest + 1, now - Kept + 1); bucket <= now; bucket++)
        {
            _counts[bucket % Kept] = 0;
        }

        _newest = now;
    }
}
