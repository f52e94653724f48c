namespace Ha.Tests.Pipelines;

/// <summary>
/// While leadership does not move and nobody gives up, a request gets its handler's answer: refusing everything
/// would keep all other promises.
/// </summary>
internal static class Peace
{
    public static IEnumerable<Violation> Check(RequestFacts facts)
    {
        if (!facts.IsCalm)
        {
            yield break;
        }

        if (WasProvablyRefused(facts) && MayBeRefused(facts))
        {
            yield break;
        }

        var seen = facts.Last;
        if (Expected(facts.Plan.Act) is { } status)
        {
            if (seen.Ending != Ending.Answered || seen.Status != status)
            {
                yield return new Violation(Invariants.NotAsInPeace, $"{facts.Plan.Act} became {seen.Ending} {seen.Status}");
            }

            if (facts.Executed.Length == 0)
            {
                yield return new Violation(Invariants.NotAsInPeace, $"{facts.Plan.Act} never ran");
            }
        }
        else if (seen is { Ending: Ending.Answered, Status: < 500 } && facts.Plan.Act is Act.OutcomeUnknown or Act.StartThenThrow)
        {
            yield return new Violation(Invariants.NotAsInPeace, $"{facts.Plan.Act} became {seen.Status}");
        }
    }

    private static int? Expected(Act act) => act switch
    {
        Act.Answer or Act.MarksItself => 200,
        Act.NoContent => 204,
        Act.NotFoundEmpty => 404,
        Act.Conflict => 409,
        Act.ErrorEmpty or Act.ThrowBeforeCommit or Act.CommitThenThrow => 500,
        _ => null,
    };

    private static bool WasProvablyRefused(RequestFacts facts) => facts.Last.Status == 503 && facts.Runs.Count == 0;

    // What something has read before UseHa() may be impossible to pass on; then it says that it was not.
    private static bool MayBeRefused(RequestFacts facts) =>
        facts.Plan.HasBody
        && facts.Plan.Entry != facts.Case.FirstLeader
        && (facts.Case.Has(StageKind.ReadAndRewind)
            || (facts.Plan.Gzip && facts.Case.Has(StageKind.Decompression))
            || (facts.Plan.Form && facts.Case.Has(StageKind.Antiforgery)));
}
