using System.Globalization;
using Ha.Http;
using Ha.Telemetry;

namespace Ha.Endpoints.StatusPage;

/// <summary>The parts of the page that show the cluster.</summary>
internal static class StatusSections
{
    public static void AddNotices(HtmlWriter html, StatusModel model)
    {
        if (model.Draining)
        {
            html.Add($"<p class=\"notice warn\">This node is handing over or shutting down. It still answers and forwards.</p>\n");
        }

        var self = model.View.Members.FirstOrDefault(member => member.IsSelf);
        if (self?.Paused == true)
        {
            html.Add($"<p class=\"notice warn\">This node is paused: {WhileItDoesNotStand(self)} until it is resumed (POST /_ha/resume) or restarted.</p>\n");
        }

        if (self?.Unhealthy == true)
        {
            html.Add($"<p class=\"notice warn\">The application is not healthy here: {WhileItDoesNotStand(self)} until its health checks pass.</p>\n");
        }

        if (model.View.Leader.Quarantined)
        {
            html.Add($"<p class=\"notice calm\">Start-up quarantine: this node follows a leader, but neither votes nor leads yet.</p>\n");
        }

        if (string.Equals(model.View.Quorum, "majority", StringComparison.Ordinal) && model.Up < model.Needed)
        {
            var until = model.View.Members.Any(member => member.ConfigMismatch is not null) ? "the settings below agree" : "more return";
            html.Add($"<p class=\"notice bad\">{model.Up} of {model.View.Members.Count} nodes up, {model.Needed} needed: nobody can lead until {until}.</p>\n");
        }

        if (string.Equals(model.View.Quorum, "off", StringComparison.Ordinal) && model.View.Members.Count > 1)
        {
            html.Add($"<p class=\"notice calm\">Quorum is off: during a network partition two nodes may lead at once.</p>\n");
        }
    }

    public static void AddLeader(HtmlWriter html, StatusModel model)
    {
        var leader = model.View.Leader;
        if (!model.LeaderKnown)
        {
            html.Add($"<section class=\"hero warn\" aria-label=\"Leader\">\n<p class=\"label\">Leader</p>\n<h1>None</h1>\n");
            var hold = model.Settings.WriteHold;
            if (leader.WhyNobodyLeads is { } why)
            {
                html.Add($"<p class=\"sub\">{why}</p>\n");
            }

            var writes = hold > TimeSpan.Zero ? $"Writes wait up to {Span(hold)} for one." : "Writes are refused until there is one.";
            html.Add($"<p class=\"sub\">{writes} Reads are served.</p>\n");
            html.Add($"<dl class=\"facts\">\n<div><dt>Quorum</dt><dd>{Quorum(model)}</dd></div>\n</dl>\n</section>\n");
            return;
        }

        html.Add($"<section class=\"hero good\" aria-label=\"Leader\">\n<p class=\"label\">Leader</p>\n<h1><bdi>{leader.LeaderId}</bdi></h1>\n<p class=\"sub\">");
        AddLink(html, leader.LeaderUrl ?? "");
        html.Add($"</p>\n<dl class=\"facts\">\n<div><dt>Epoch</dt><dd>{leader.Epoch}</dd></div>\n");
        html.Add($"<div><dt>Quorum</dt><dd>{Quorum(model)}</dd></div>\n<div><dt>Lease</dt><dd>");
        AddLease(html, model);
        html.Add($"</dd></div>\n</dl>\n</section>\n");
    }

    public static void AddNodes(HtmlWriter html, StatusModel model)
    {
        html.Add($"<section aria-label=\"Nodes\">\n<h2>Nodes</h2>\n<ul class=\"nodes\">\n");
        foreach (var member in model.View.Members)
        {
            AddNode(html, model, member);
        }

        html.Add($"</ul>\n</section>\n");
    }

    public static void AddEvents(HtmlWriter html, StatusModel model)
    {
        html.Add($"<section aria-label=\"Recent events\">\n<h2>Recent events <small>UTC</small></h2>\n");
        if (model.Events.Count == 0)
        {
            html.Add($"<p class=\"empty\">Nothing has happened since this node started.</p>\n</section>\n");
            return;
        }

        html.Add($"<ol class=\"events\">\n");
        foreach (var e in model.Events)
        {
            AddEvent(html, e, model.Now);
        }

        html.Add($"</ol>\n</section>\n");
    }

    private static void AddNode(HtmlWriter html, StatusModel model, ClusterMember member)
    {
        var heard = member.IsSelf || !model.IsStatic;
        var name = (member.NodeId.Length > 0, heard) switch
        {
            (true, _) => member.NodeId,
            (_, true) => member.ConfigMismatch is null ? "not heard yet" : "heard, not counted",
            _ => "fixed leader",
        };
        html.Add($"<li class=\"node {(member.Up || !heard ? "up" : "down")}\">\n<h3><bdi>{name}</bdi></h3>\n<p class=\"tags\">");
        AddTags(html, model, member, heard);
        html.Add($"</p>\n<p class=\"sub\">");
        AddLink(html, member.PublicTarget.Length > 0 ? member.PublicTarget : member.Target, HaRoutes.Root);
        html.Add($"</p>\n");
        if (heard && !member.IsSelf)
        {
            html.Add($"<dl>\n<div><dt>Seen</dt><dd>{Seen(member, model.Now)}</dd></div>\n");
            html.Add($"<div><dt>Round trip</dt><dd>{(member.RoundTrip is { } trip ? Span(trip) : "–")}</dd></div>\n</dl>\n");
        }

        if (member.ConfigMismatch is not null)
        {
            html.Add($"<p class=\"mismatch\">Settings differ: {member.ConfigMismatch}</p>\n");
        }

        html.Add($"</li>\n");
    }

    private static void AddTags(HtmlWriter html, StatusModel model, ClusterMember member, bool heard)
    {
        if (heard)
        {
            html.Add($"<span class=\"tag state\">{(member.Up ? "up" : "down")}</span>");
        }

        if (member.IsLeader && model.LeaderKnown)
        {
            html.Add($"<span class=\"tag lead\">leader</span>");
        }
        else if (member.Up)
        {
            html.Add($"<span class=\"tag\">{member.Role}</span>");
        }

        if (member.Paused)
        {
            html.Add($"<span class=\"tag\">paused</span>");
        }

        if (member.Unhealthy)
        {
            html.Add($"<span class=\"tag\">unhealthy</span>");
        }

        if (member.IsSelf)
        {
            html.Add($"<span class=\"tag\">this node</span>");
        }
    }

    private static void AddEvent(HtmlWriter html, RecentEvent e, DateTimeOffset now)
    {
        var at = e.At.UtcDateTime;
        var sameDay = at.Date == now.UtcDateTime.Date;
        var shown = at.ToString(sameDay ? "HH:mm:ss" : "MMM d, HH:mm:ss", CultureInfo.InvariantCulture);
        html.Add($"<li class=\"{EventText.Tone(e.Kind)}\"><time datetime=\"{at.ToString("o", CultureInfo.InvariantCulture)}\">{shown}</time>");
        html.Add($"<p>{EventText.Sentence(e)}<small>{e.Why}</small></p></li>\n");
    }

    private static void AddLease(HtmlWriter html, StatusModel model)
    {
        if (model.LeaseIsEndless)
        {
            html.Add($"no end: the leader is fixed");
            return;
        }

        var left = (long)model.LeaseLeft.TotalMilliseconds;
        var whole = (long)model.Settings.LeaseTimeout.TotalMilliseconds;
        html.Add($"<progress id=\"lease\" max=\"{whole}\" value=\"{left}\" aria-label=\"Lease remaining\"></progress>");
        html.Add($"<span id=\"lease-left\">{Span(model.LeaseLeft)}</span> <small>of {Span(model.Settings.LeaseTimeout)}</small>");
    }

    /// <summary>Only web addresses become links; anything else a member may call itself is shown as text.</summary>
    private static void AddLink(HtmlWriter html, string url, string path = "")
    {
        if (Uri.TryCreate(url, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps))
        {
            html.Add($"<a href=\"{url + path}\" rel=\"noreferrer\">{url}</a>");
        }
        else
        {
            html.Add($"<bdi>{url}</bdi>");
        }
    }

    private static string WhileItDoesNotStand(ClusterMember self) =>
        self.IsLeader ? "it leads until another node can take over, and not again" : "it follows and forwards, and does not lead,";

    private static string Quorum(StatusModel model) => model.View.Quorum switch
    {
        "majority" => string.Create(CultureInfo.InvariantCulture, $"{model.Up} of {model.View.Members.Count} up, {model.Needed} needed"),
        "static" => "none: the leader is fixed",
        _ when model.View.Arbiter is { } arbiter => $"none: {arbiter} decides",
        _ => string.Create(CultureInfo.InvariantCulture, $"off, {model.Up} of {model.View.Members.Count} up"),
    };

    private static string Seen(ClusterMember member, DateTimeOffset now)
    {
        if (member.LastSeen is not { } seen)
        {
            return "never";
        }

        // Wall time may have been set back meanwhile.
        var ago = now - seen;
        return Span(ago > TimeSpan.Zero ? ago : TimeSpan.Zero) + " ago";
    }

    internal static string Span(TimeSpan span) => span switch
    {
        { TotalMilliseconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.0} ms"),
        { TotalMilliseconds: < 100 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0} ms"),
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.0} s"),
        { TotalSeconds: < 120 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0} s"),
        { TotalMinutes: < 120 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:0} min"),
        { TotalHours: < 48 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:0} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:0} d"),
    };
}
