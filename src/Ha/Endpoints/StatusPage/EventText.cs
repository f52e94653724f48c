using System.Globalization;
using Ha.Election;
using Ha.Telemetry;

namespace Ha.Endpoints.StatusPage;

/// <summary>Words and colour for one event on the page.</summary>
internal static class EventText
{
    public static string Sentence(RecentEvent e)
    {
        var node = e.Node ?? "this node";
        var epoch = e.Epoch.ToString(CultureInfo.InvariantCulture);
        return e.Kind switch
        {
            ElectionEventKind.QuarantineEnded => "Start-up quarantine ended",
            ElectionEventKind.QuarantineExtended => "Start-up quarantine extended",
            ElectionEventKind.CampaignStarted => $"Campaign for epoch {epoch} started",
            ElectionEventKind.CampaignCancelled => $"Campaign for epoch {epoch} cancelled",
            ElectionEventKind.CampaignRefusedSlowNetwork => "Network too slow to campaign",
            ElectionEventKind.LeadershipWon => $"This node leads, epoch {epoch}",
            ElectionEventKind.EpochBumped => $"Epoch raised to {epoch}, same leader",
            ElectionEventKind.LeadershipLapsed => $"Leadership of epoch {epoch} lapsed",
            ElectionEventKind.LeadershipReleased => $"Leadership of epoch {epoch} released{To(e)}",
            ElectionEventKind.LeaderSeen => $"{node} leads, epoch {epoch}",
            ElectionEventKind.LeaderLost => $"Leader {node} is gone",
            ElectionEventKind.HandoffStarted => $"Handoff{To(e)} started",
            ElectionEventKind.HandoffAborted => $"Handoff{To(e)} aborted",
            ElectionEventKind.DrainTimedOut => "Writes did not finish in time; the lease lapses",
            ElectionEventKind.PreemptionPending => $"{node} is ready to lead again",
            ElectionEventKind.ConflictSeen => $"Two leaders met: {node} and this node",
            ElectionEventKind.ClockJumped => "Clock jumped",
            ElectionEventKind.DuplicateId => $"NodeID {node} is used twice",
            ElectionEventKind.ConfigMismatch => $"Settings of {node} differ",
            ElectionEventKind.PeerUp => $"{node} is up",
            ElectionEventKind.PeerDown => $"{node} is down",
            ElectionEventKind.NobodyLeads => "Nobody leads",
            ElectionEventKind.TwinSeen => $"Two processes run as {node}",
            ElectionEventKind.StoreAway => "The lease store does not answer",
            ElectionEventKind.StoreBack => "The lease store answers again",
            ElectionEventKind.Paused => "This node was paused",
            ElectionEventKind.Resumed => "This node was resumed",
            ElectionEventKind.Unhealthy => "The application is not healthy enough to lead here",
            ElectionEventKind.Recovered => "The application is healthy here again",
            ElectionEventKind.RecordRefused => "The record in the lease store makes no sense",
            _ => throw new ArgumentOutOfRangeException(nameof(e), e.Kind, message: null),
        };
    }

    /// <summary>A leader that stops alone hands over to nobody in particular.</summary>
    private static string To(RecentEvent e) => e.Node is null ? "" : $" to {e.Node}";

    /// <returns>A class name of the style sheet.</returns>
    public static string Tone(ElectionEventKind kind) => kind switch
    {
        ElectionEventKind.LeadershipWon or ElectionEventKind.LeaderSeen => "good",
        ElectionEventKind.LeadershipLapsed or ElectionEventKind.PeerDown or
            ElectionEventKind.HandoffAborted or ElectionEventKind.DrainTimedOut or ElectionEventKind.ClockJumped or
            ElectionEventKind.Paused or ElectionEventKind.Unhealthy => "warn",
        ElectionEventKind.ConflictSeen or ElectionEventKind.DuplicateId or ElectionEventKind.ConfigMismatch or
            ElectionEventKind.CampaignRefusedSlowNetwork or ElectionEventKind.NobodyLeads or ElectionEventKind.TwinSeen or
            ElectionEventKind.StoreAway or ElectionEventKind.RecordRefused => "bad",
        _ => "calm",
    };
}
