using System.Diagnostics;

namespace Ha.Telemetry;

/// <summary>The activity source <c>Ha</c>; names and tags are listed in docs/operations.md.</summary>
internal static class HaActivitySource
{
    public const string Name = "Ha";

    /// <summary>One write on its way to the leader; a client span that the leader's server span continues.</summary>
    public const string Forward = "ha.forward";

    public static readonly ActivitySource Source = new(Name);
}
