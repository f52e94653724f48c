namespace Ha.Tests.Oracle;

/// <summary>A row of "Where we differ from YARP" in docs/forwarding.md.</summary>
/// <param name="Name">As it stands there.</param>
/// <param name="Why">As it stands there.</param>
/// <param name="Explains">Whether a divergence is of this kind.</param>
internal sealed record Difference(string Name, string Why, Func<Divergence, bool> Explains);

internal static class Differences
{
    public static IReadOnlyList<Difference> All { get; } =
    [
    ];
}
