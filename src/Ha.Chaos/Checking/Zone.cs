namespace Ha.Chaos.Checking;

/// <summary>
/// Operations that belong together: a write and the reads that saw it, or the claims of one leadership. Of two zones one
/// has to come first as a whole.
/// </summary>
/// <param name="FirstEnd">When the first of them had ended.</param>
/// <param name="LastBegin">When the last of them began.</param>
/// <param name="What">For people.</param>
/// <remarks>
/// If one operation of zone 1 had ended before one of zone 2 began, zone 1 has to come first. When that is so in both
/// directions there is no order (Gibbons, Korach: Testing Shared Memories, 1997).
/// </remarks>
internal readonly record struct Zone(long FirstEnd, long LastBegin, string What)
{
    /// <summary>It was there during the whole time between these two moments.</summary>
    public bool IsForward => FirstEnd < LastBegin;

    public static Zone Of(IEnumerable<(long Begin, long End)> operations, string what)
    {
        var (firstEnd, lastBegin) = (long.MaxValue, long.MinValue);
        foreach (var (begin, end) in operations)
        {
            (firstEnd, lastBegin) = (Math.Min(firstEnd, end), Math.Max(lastBegin, begin));
        }

        return new Zone(firstEnd, lastBegin, what);
    }

    public bool MustPrecede(Zone other) => FirstEnd < other.LastBegin;

    public bool Conflicts(Zone other) => MustPrecede(other) && other.MustPrecede(this);

    /// <summary>One pair for each zone that conflicts with another, in n log n.</summary>
    public static IEnumerable<(Zone, Zone)> Conflicts(IReadOnlyCollection<Zone> zones)
    {
        var forward = zones.Where(z => z.IsForward).OrderBy(z => z.FirstEnd).ToArray();
        for (var i = 1; i < forward.Length; i++)
        {
            if (forward[i - 1].Conflicts(forward[i]))
            {
                yield return (forward[i - 1], forward[i]);
            }
        }

        // A zone that is not forward conflicts only with a forward one around it.
        var starts = Array.ConvertAll(forward, z => z.FirstEnd);
        foreach (var zone in zones.Where(z => !z.IsForward))
        {
            // The last forward zone that ended its first operation before this one's last began.
            var at = Array.BinarySearch(starts, zone.LastBegin);
            at = at < 0 ? ~at : at;
            while (at > 0 && (at == starts.Length || starts[at] >= zone.LastBegin))
            {
                at--;
            }

            if (starts.Length > 0 && forward[at].Conflicts(zone))
            {
                yield return (forward[at], zone);
            }
        }
    }
}
