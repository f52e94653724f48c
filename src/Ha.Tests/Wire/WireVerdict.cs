namespace Ha.Tests.OnTheWire;

/// <summary>Holds what clients were told against what nodes say they executed.</summary>
internal sealed class WireVerdict
{
    // A third goes to the node that holds nothing; a short run may be one long handover to it.
    private const double LeastAcknowledged = 0.5;

    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public WireVerdict(int seed, IReadOnlyCollection<WireResult> results, IReadOnlyList<WireExecution> executed)
    {
        var executions = executed.ToLookup(execution => execution.Id);
        var known = results.ToDictionary(result => result.Write.Id);
        Count("an answer comes in time", results.Where(result => result.Outcome == WireOutcome.Silent));
        Count("an answer is one of those that a client knows", results.Where(result => result.Outcome == WireOutcome.Odd));
        Count("what is acknowledged is whole", results.Where(result => result.Outcome == WireOutcome.Garbled));
        Count(
            "what is acknowledged was executed, once if without a key",
            results.Where(result => result.Outcome is WireOutcome.Acknowledged or WireOutcome.Garbled
                && (result.Write.Keyed ? !executions[result.Write.Id].Any() : executions[result.Write.Id].Count() != 1)));
        Count(
            "what is refused was not executed",
            results.Where(result => result.Outcome == WireOutcome.Refused && executions[result.Write.Id].Any()));
        Count(
            "nothing without a key was executed twice",
            results.Where(result => !result.Write.Keyed && executions[result.Write.Id].Count() > 1));
        Count(
            "what was executed is what was sent",
            executed
                .Where(execution => !known.TryGetValue(execution.Id, out var result) || !IsWhole(result.Write, execution))
                .Select(execution => known.GetValueOrDefault(execution.Id)
                    ?? new WireResult(new WireWrite(seed, execution.Id), WireOutcome.Odd, "never sent")));
        var acknowledged = results.Count(result => result.Outcome == WireOutcome.Acknowledged);
        Count(
            $"most writes are acknowledged ({acknowledged} of {results.Count})",
            acknowledged >= LeastAcknowledged * results.Count ? [] : results.Where(result => result.Outcome != WireOutcome.Acknowledged));

        string Story(WireResult result) =>
            $"{result.Write}: {result.Outcome} {result.Detail}; executed: {string.Join(", ", executions[result.Write.Id])}";

        void Count(string promise, IEnumerable<WireResult> against)
        {
            var all = against.ToArray();
            _counts[promise] = all.Length;
            Violations.AddRange(all.Take(10).Select(result => $"{promise}: {Story(result)}"));
        }
    }

    /// <summary>Some of what broke a promise.</summary>
    public List<string> Violations { get; } = [];

    public int Passed => _counts.Count(promise => promise.Value == 0);

    public int Failed => _counts.Count - Passed;

    private static bool IsWhole(WireWrite write, WireExecution execution) =>
        execution.Length == write.BodySize && execution.Checksum == WireBytes.Checksum(write.Body.Span);
}
