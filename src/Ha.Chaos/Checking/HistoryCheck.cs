using Ha.Chaos.History;

namespace Ha.Chaos.Checking;

/// <summary>Everything that must hold in a history. It knows nothing of how the history came about.</summary>
internal static class HistoryCheck
{
    public static IReadOnlyList<string> Violations(IReadOnlyCollection<HistoryLine> history)
    {
        var rows = history.OfType<Row>().ToArray();
        var operations = history.OfType<Operation>().ToList();
        operations.AddRange(LastReads(operations, rows));
        return
        [
            .. RegisterCheck.Violations(operations),
            .. NotesCheck.Violations(operations, rows),
            .. EpochCheck.Violations(operations, rows),
            .. ClaimCheck.Violations(history.OfType<Claim>()),
            .. history.OfType<FaultLine>().Where(f => f.Phase == FaultPhase.Stuck).Select(f => $"after {f.Name} at {f.At} the cluster did not recover: {f.Detail}"),
            .. history.OfType<ExitLine>().Select(e => $"node {e.Node} ended by itself with {e.Code} at {e.At}, during {e.Fault}"),
        ];
    }

    /// <summary>What the database holds at the end is what a last read of each register would have seen.</summary>
    private static IEnumerable<Operation> LastReads(IEnumerable<Operation> operations, IEnumerable<Row> rows)
    {
        var registers = operations.Where(o => o.Key.Length > 0 && o.NoteId > 0).GroupBy(o => o.NoteId).ToDictionary(g => g.Key, g => g.First().Key);
        foreach (var row in rows)
        {
            if (registers.TryGetValue(row.Id, out var key))
            {
                yield return new Operation("end", "", OperationKind.Get, key, row.Text, row.At, row.At, Outcome.Ok, 200, row.Id);
            }
        }
    }
}
