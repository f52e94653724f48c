using System.Globalization;
using Ha.Telemetry;

namespace Ha.Endpoints.StatusPage;

/// <summary>The part of the page that shows what this node has done.</summary>
internal static class StatusCounters
{
    public static void Add(HtmlWriter html, StatusModel model)
    {
        var since = model.StartedAt.UtcDateTime.ToString("MMM d, HH:mm:ss", CultureInfo.InvariantCulture);
        html.Add($"<section aria-label=\"Counters of this node\">\n<h2>This node <small>since {since} UTC</small></h2>\n<dl class=\"counters\">\n");
        var totals = model.Totals;
        AddGroup(html, "Writes while not leader");
        AddCount(html, "Forwarded", totals.Writes(WriteOutcome.Forwarded));
        AddCount(html, "Redirected", totals.Writes(WriteOutcome.Redirected));
        AddCount(html, "Held", totals.Writes(WriteOutcome.Held));
        AddCount(html, "Refused", totals.Writes(WriteOutcome.Refused));
        AddCount(html, "Outcome unknown", totals.Writes(WriteOutcome.Unknown));
        AddGroup(html, "Heartbeats");
        AddCount(html, "Answered by peers", totals.HeartbeatsSent);
        AddCount(html, "Without an answer", totals.HeartbeatsFailed);
        AddCount(html, "Received", totals.HeartbeatsReceived);
        AddCount(html, "Rejected", totals.HeartbeatsRejected);
        AddGroup(html, "Leadership");
        AddCount(html, "Changes seen", totals.LeadershipChanges);
        AddCount(html, "Conflicts", totals.Conflicts);
        html.Add($"</dl>\n</section>\n");
    }

    private static void AddGroup(HtmlWriter html, string name) => html.Add($"<div class=\"group\"><dt>{name}</dt></div>\n");

    private static void AddCount(HtmlWriter html, string name, long count) =>
        html.Add($"<div><dt>{name}</dt><dd>{count.ToString("N0", CultureInfo.InvariantCulture)}</dd></div>\n");
}
