using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Ha.Tests.Pipelines;

/// <summary>One broken promise.</summary>
/// <param name="Rule">Which; a few fixed words.</param>
/// <param name="Detail">How.</param>
internal sealed record Violation(string Rule, string Detail);

/// <summary>All that is known about one request once both nodes have come to rest.</summary>
/// <param name="Case">Its case.</param>
/// <param name="Plan">What it was to do.</param>
/// <param name="Answers">What its client saw: redirects that it followed, then the end.</param>
/// <param name="Runs">What its handler did, on either node.</param>
/// <param name="Disturbed">True once leadership was not what it was when the case began.</param>
internal sealed record RequestFacts(PipelineCase Case, RequestPlan Plan, IReadOnlyList<Seen> Answers, IReadOnlyList<Run> Runs, bool Disturbed)
{
    public bool Rested { get; init; } = true;

    public long WritesInside { get; init; }

    public int Held { get; init; }

    public Seen Last => Answers[^1];

    /// <summary>All but those that said themselves that nothing was committed.</summary>
    public Run[] Executed => [.. Runs.Where(run => run.End != RunEnd.Refused)];

    /// <summary>True when nothing stands between the request and its answer.</summary>
    public bool IsCalm => !Disturbed && !Case.TimesOut(Plan) && !Plan.LeavesInBody && Last.Ending != Ending.Left && !Last.Reused;
}

/// <summary>What holds for every request, whatever the pipeline, the handler, the client and the election do.</summary>
internal static class Invariants
{
    public const string ExecutedTwice = "executed twice";
    public const string MarkedThoughExecuted = "marked not executed though it ran";
    public const string SuccessWithoutCommit = "success without a commit";
    public const string SuccessOfNobody = "success that no handler wrote";
    public const string WrongBody = "a handler read a wrong body";
    public const string WrongAnswer = "the answer is not what the handler wrote";
    public const string Silence = "no answer and no end";
    public const string Restless = "the nodes did not come to rest";
    public const string LeftBehind = "something was left behind";
    public const string TooManyRuns = "run too often";
    public const string NotAsInPeace = "disturbed in peace";

    private const int MostRuns = 8;

    private static readonly string[] _notExecuted = ["not leader", "no leader", "not executed", "leader unreachable"];

    public static IEnumerable<Violation> Check(RequestFacts facts)
    {
        if (!facts.Rested)
        {
            yield return new Violation(Restless, "something is still running");
        }

        // A server does not notice that a client has left while some of its body is unread.
        else if (facts.Last.Ending != Ending.Left && (facts.WritesInside != 0 || facts.Held != 0))
        {
            yield return new Violation(LeftBehind, $"{facts.WritesInside} writes hold up a handover, {facts.Held} are held");
        }

        foreach (var violation in OfRuns(facts).Concat(OfAnswers(facts)).Concat(Peace.Check(facts)))
        {
            yield return violation;
        }
    }

    private static IEnumerable<Violation> OfRuns(RequestFacts facts)
    {
        var mayRepeat = facts.Plan.Key == Key.One && facts.Runs.All(run => run.Keyed);
        if (facts.Executed.Length > 1 && !mayRepeat)
        {
            yield return new Violation(ExecutedTwice, $"{facts.Executed.Length} times");
        }

        if (facts.Runs.Count > MostRuns)
        {
            yield return new Violation(TooManyRuns, $"{facts.Runs.Count} times");
        }

        // A client that leaves in its body has sent no whole one.
        foreach (var run in facts.Runs.Where(run => !run.BodyWasRight && !facts.Plan.LeavesInBody))
        {
            yield return new Violation(WrongBody, run.ToString());
        }
    }

    private static IEnumerable<Violation> OfAnswers(RequestFacts facts)
    {
        for (var i = 0; i < facts.Answers.Count; i++)
        {
            var seen = facts.Answers[i];
            if (facts.Executed.Length > 0 && SaysNotExecuted(seen, isLast: i == facts.Answers.Count - 1) is { } how)
            {
                yield return new Violation(MarkedThoughExecuted, how);
            }
        }

        if (facts.Last.Ending == Ending.Silence)
        {
            yield return new Violation(Silence, "within the client's patience");
        }

        // A handler that came to its end may have had nothing to commit.
        if (facts.Last.IsSuccess && !facts.Runs.Any(run => run.Committed || run.End == RunEnd.Returned))
        {
            yield return new Violation(SuccessWithoutCommit, $"{facts.Last.Status}");
        }
        else if (facts.Last.IsSuccess && facts.Last.Header(CaseHeaders.Answer) is null)
        {
            yield return new Violation(SuccessOfNobody, $"{facts.Last.Status}");
        }

        if (facts.Last.Ending == Ending.Answered && WrongIn(facts) is { } wrong)
        {
            yield return new Violation(WrongAnswer, wrong);
        }
    }

    // A redirect says so too: it asks for the request again. One that was followed came before whatever ran; that it
    // came after something had run shows in what ran twice.
    private static string? SaysNotExecuted(Seen seen, bool isLast)
    {
        if (seen.Header("X-Base-Not-Executed") is not null)
        {
            return "by its header";
        }

        if (seen.Status == 307 && isLast)
        {
            return "by a redirect";
        }

        return ErrorOf(seen) is { } error && _notExecuted.Contains(error, StringComparer.Ordinal) && seen.Status != 307 ? $"by its body, {error}" : null;
    }

    private static string? ErrorOf(Seen seen)
    {
        if (seen.Header("Content-Type")?.Contains("json", StringComparison.Ordinal) != true || seen.Plain() is not { Length: > 0 } body)
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.TryGetProperty("error", out var error) ? error.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? WrongIn(RequestFacts facts)
    {
        var seen = facts.Last;
        if (seen.Surplus)
        {
            return "more came than the answer";
        }

        // Without the handler's own header it is an error page, and says nothing of the handler's answer.
        if (seen.Header(CaseHeaders.Answer) is not { } signed)
        {
            return null;
        }

        var parts = signed.Split(' ');
        var (offset, length) = (int.Parse(parts[2], CultureInfo.InvariantCulture), int.Parse(parts[3], CultureInfo.InvariantCulture));
        if (parts[0] != facts.Plan.Id)
        {
            return $"it is the answer to {parts[0]}";
        }

        if (seen.Plain() is not { } plain)
        {
            return "its encoding is broken";
        }

        return plain.Span.SequenceEqual(Noise.Slice(offset, length).Span)
            ? null
            : $"{plain.Length} bytes of {length}{(plain.Length < 200 ? $": {Encoding.Latin1.GetString(plain.Span)}" : "")}";
    }
}
