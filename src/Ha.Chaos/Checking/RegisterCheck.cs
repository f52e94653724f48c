using Ha.Chaos.History;

namespace Ha.Chaos.Checking;

/// <summary>
/// Whether each register is linearizable: there is an order of all operations, each at a moment between its beginning and
/// its end, in which every read sees the write before it. A write of unknown outcome may take effect at any time after it
/// began, or never.
/// </summary>
/// <remarks>Every value is written once, so it is known which write a read saw, and no search is needed (<see cref="Zone"/>).</remarks>
internal static class RegisterCheck
{
    public static IEnumerable<string> Violations(IEnumerable<Operation> operations) =>
        operations.Where(o => o.Key.Length > 0).GroupBy(o => o.Key, StringComparer.Ordinal).SelectMany(OfOne);

    private static IEnumerable<string> OfOne(IGrouping<string, Operation> register)
    {
        var reads = register.Where(o => !o.IsWrite && o.Outcome == Outcome.Ok).ToLookup(o => o.Value, StringComparer.Ordinal);
        var writes = register.Where(o => o.IsWrite).ToLookup(o => o.Value, StringComparer.Ordinal);
        foreach (var read in reads.Where(r => !writes.Contains(r.Key)).Select(r => r.First()))
        {
            yield return $"register {register.Key}: a read at {read.Invoked} saw '{read.Value}', which nobody wrote";
        }

        var zones = new List<Zone>();
        foreach (var write in writes)
        {
            if (write.Count() > 1)
            {
                yield return $"register {register.Key}: '{write.Key}' was written by two operations; the history is of no use";
                continue;
            }

            var problem = Judge(register.Key, write.Single(), [.. reads[write.Key]], zones);
            if (problem is not null)
            {
                yield return problem;
            }
        }

        foreach (var (a, b) in Zone.Conflicts(zones))
        {
            yield return $"register {register.Key}: no order of '{a.What}' ({a.FirstEnd} … {a.LastBegin}) and '{b.What}' ({b.FirstEnd} … {b.LastBegin})";
        }
    }

    private static string? Judge(string key, Operation write, Operation[] reads, List<Zone> zones)
    {
        if (write.Outcome == Outcome.Failed)
        {
            return reads.Length == 0 ? null : $"register {key}: a read at {reads[0].Invoked} saw '{write.Value}', whose writer was told that nothing was executed";
        }

        if (write.Outcome == Outcome.Unknown && reads.Length == 0)
        {
            // It may never have happened.
            return null;
        }

        if (reads.FirstOrDefault(r => r.Completed < write.Invoked) is { } early)
        {
            return $"register {key}: a read that ended at {early.Completed} saw '{write.Value}', written from {write.Invoked} on";
        }

        var end = write.Outcome == Outcome.Ok ? write.Completed : long.MaxValue;
        zones.Add(Zone.Of([(write.Invoked, end), .. reads.Select(r => (r.Invoked, r.Completed))], write.Value));
        return null;
    }
}
