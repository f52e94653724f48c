using Ha.Configuration;
using Ha.Telemetry;

namespace Ha.Endpoints.StatusPage;

/// <summary>All that one rendering of the page shows, taken at one moment.</summary>
internal sealed record StatusModel(
    HaSettings Settings,
    ClusterView View,
    IReadOnlyList<RecentEvent> Events,
    HaCounters Totals,
    DateTimeOffset Now,
    DateTimeOffset StartedAt,
    CancellationToken Stopping)
{
    /// <summary>Read once, so that the page does not contradict itself.</summary>
    public TimeSpan LeaseLeft { get; } = View.Leader.LeaseRemaining;

    public bool LeaderKnown => View.Leader.LeaderId is not null && LeaseLeft != TimeSpan.Zero;

    public bool LeaseIsEndless => LeaseLeft == Timeout.InfiniteTimeSpan;

    public bool Draining => ReadinessRule.Of(View.Leader, Stopping) == Readiness.Draining;

    /// <summary>Without an election nobody hears of anybody, so nothing is known of the others.</summary>
    public bool IsStatic => View.Quorum is "static" or "provider";

    public int Up => View.Members.Count(member => member.Up);

    /// <summary>How many members a leader needs.</summary>
    public int Needed => View.Members.Count / 2 + 1;
}
