namespace Ha.Tests.Processes;

/// <summary>What came of one write: where it went in and when, how long it took, a failure's words, and the node that answered.</summary>
internal sealed record WriteResult(string Text, Door Door, long DueAt, TimeSpan Took, string? Failure, string? AnsweredBy)
{
    /// <summary>The answer says that nothing was executed, and it may be sent again.</summary>
    public bool IsNotExecuted => Failure is { } why && why.Contains("Nothing was executed", StringComparison.Ordinal);
}

internal static class WriteResults
{
    /// <summary>How many acknowledged writes are not there, and how many of all are there more than once.</summary>
    public static (int Lost, int Doubled) Against(this IEnumerable<WriteResult> results, IReadOnlyList<NoteAnswer> notes)
    {
        var counts = notes.CountBy(n => n.Text, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        var lost = results.Count(result => result.Failure is null && !counts.ContainsKey(result.Text));
        return (lost, counts.Values.Count(count => count > 1));
    }

    /// <summary>A write that was acknowledged is there once; one that failed may be there, but not twice.</summary>
    public static void AssertAcknowledgedAreThereOnce(this IEnumerable<WriteResult> results, IReadOnlyList<NoteAnswer> notes)
    {
        var counts = notes.GroupBy(n => n.Text, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        Assert.All(results, result =>
        {
            var count = counts.GetValueOrDefault(result.Text);
            Assert.True(result.Failure is null ? count == 1 : count <= 1, $"{result.Text} is there {count} times ({result.Failure ?? "201"})");
        });
    }
}
