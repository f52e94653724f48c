using Ha.Chaos.History;

namespace Ha.Chaos.Checking;

/// <summary>One node writes in an epoch, and epochs rise: in the order of the commits, and in the order the clients saw.</summary>
internal static class EpochCheck
{
    public static IEnumerable<string> Violations(IReadOnlyCollection<Operation> operations, IReadOnlyCollection<Row> rows)
    {
        var writes = operations.Where(o => o is { IsWrite: true, Outcome: Outcome.Ok, Epoch: > 0 }).ToArray();
        var writers = writes.Select(w => (w.Epoch, w.Node)).Concat(rows.Where(r => r.Epoch > 0).Select(r => (r.Epoch, r.Node))).Distinct();
        foreach (var epoch in writers.GroupBy(w => w.Epoch).Where(g => g.Count() > 1))
        {
            yield return $"epoch {epoch.Key} has {epoch.Count()} writers: {string.Join(", ", epoch.Select(w => w.Node))}";
        }

        foreach (var problem in InCommitOrder(operations, rows).Concat(InRealTime(writes)))
        {
            yield return problem;
        }
    }

    // Ids ascend with the commits. Registers keep their first id while they are written again: they are left out.
    private static IEnumerable<string> InCommitOrder(IEnumerable<Operation> operations, IEnumerable<Row> rows)
    {
        var added = operations.Where(o => o.Kind == OperationKind.Add).Select(o => o.Value).ToHashSet(StringComparer.Ordinal);
        Row? before = null;
        foreach (var row in rows.Where(r => added.Contains(r.Text)).OrderBy(r => r.Id))
        {
            if (before is not null && row.Epoch < before.Epoch)
            {
                yield return $"note {row.Id} of epoch {row.Epoch} was committed after note {before.Id} of epoch {before.Epoch}";
            }

            before = row;
        }
    }

    private static IEnumerable<string> InRealTime(Operation[] writes)
    {
        var byEnd = writes.OrderBy(w => w.Completed).ToArray();
        Operation? highest = null;
        var ended = 0;
        foreach (var write in writes.OrderBy(w => w.Invoked))
        {
            for (; ended < byEnd.Length && byEnd[ended].Completed < write.Invoked; ended++)
            {
                highest = highest is null || byEnd[ended].Epoch > highest.Epoch ? byEnd[ended] : highest;
            }

            if (highest is not null && write.Epoch < highest.Epoch)
            {
                yield return $"'{write.Value}', begun at {write.Invoked}, was written in epoch {write.Epoch}, after '{highest.Value}' of epoch {highest.Epoch} had been acknowledged at {highest.Completed}";
            }
        }
    }
}
