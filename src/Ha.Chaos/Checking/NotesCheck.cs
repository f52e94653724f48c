using Ha.Chaos.History;

namespace Ha.Chaos.Checking;

/// <summary>Every acknowledged note is in the database once, as it was acknowledged; every refused one is not; no note is there twice.</summary>
internal static class NotesCheck
{
    public static IEnumerable<string> Violations(IReadOnlyCollection<Operation> operations, IReadOnlyCollection<Row> rows)
    {
        var byText = rows.ToLookup(r => r.Text, StringComparer.Ordinal);
        foreach (var twice in byText.Where(g => g.Count() > 1))
        {
            yield return $"note '{twice.Key}' is there {twice.Count()} times";
        }

        foreach (var add in operations.Where(o => o.Kind == OperationKind.Add))
        {
            var row = byText[add.Value].FirstOrDefault();
            if (add.Outcome == Outcome.Ok && row is null)
            {
                yield return $"note '{add.Value}' (id {add.NoteId}, epoch {add.Epoch}), acknowledged at {add.Completed}, is lost";
            }
            else if (add.Outcome == Outcome.Failed && row is not null)
            {
                yield return $"note '{add.Value}' is there, but its writer was told at {add.Completed} that nothing was executed ({add.Status} {add.Why})";
            }
            else if (add.Outcome == Outcome.Ok && row is not null && (row.Id, row.Node, row.Epoch) != (add.NoteId, add.Node, add.Epoch))
            {
                yield return $"note '{add.Value}' was acknowledged as id {add.NoteId} by {add.Node} in epoch {add.Epoch}, and is id {row.Id} by {row.Node} in epoch {row.Epoch}";
            }
        }

        // A register's row is written again and again; it is the register's check that judges it.
        var known = operations.Where(o => o.IsWrite).Select(o => o.Value).ToHashSet(StringComparer.Ordinal);
        foreach (var row in rows.Where(r => !known.Contains(r.Text)))
        {
            yield return $"note {row.Id} '{row.Text}' is there, and nobody wrote it";
        }
    }
}
