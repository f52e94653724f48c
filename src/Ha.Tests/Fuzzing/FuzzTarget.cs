namespace Ha.Tests.Fuzzing;

/// <summary>
/// One way in for bytes from the network, with what must hold for whatever comes. Everything is repeatable by its seed.
/// </summary>
/// <param name="Name">For the report.</param>
/// <param name="Try">Makes one input, tries it and says what came of it: <see cref="FuzzReport.Accepted"/> or the reason of
/// the refusal. Throws <see cref="FuzzFault"/> when something does not hold.</param>
internal sealed record FuzzTarget(string Name, Func<Mutator, string> Try)
{
    /// <summary>All there are.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
        [ParserFuzz.Requests, ParserFuzz.Replies, VerifierFuzz.Requests, VerifierFuzz.Replies];

    public FuzzReport Run(int seed, int inputs)
    {
        var report = new FuzzReport(Name, seed);
        var mutator = new Mutator(seed);
        for (var i = 0; i < inputs; i++)
        {
            try
            {
                report.Count(Try(mutator));
            }
            catch (FuzzFault fault)
            {
                report.Wrong(i, fault.Message);
            }
#pragma warning disable CA1031 // Whatever it is, it is what this looks for.
            catch (Exception crash)
#pragma warning restore CA1031
            {
                report.Crashed(i, crash);
            }
        }

        return report;
    }
}

/// <summary>Something that must hold for every input did not.</summary>
internal sealed class FuzzFault(string what) : Exception(what)
{
    /// <param name="holds">What must be true.</param>
    /// <param name="what">What it means when it is not.</param>
    /// <param name="input">Shown in full.</param>
    public static void Unless(bool holds, string what, Func<string> input)
    {
        if (!holds)
        {
            throw new FuzzFault($"{what}: {input()}");
        }
    }
}
