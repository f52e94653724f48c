namespace Ha.Endpoints.StatusPage;

/// <summary>The frame of the page; <see cref="StatusSections"/> fills it.</summary>
internal static class StatusPageHtml
{
    public static string Render(StatusModel model)
    {
        var html = new HtmlWriter();
        AddHead(html, model);
        html.Add($"<body>\n");
        AddHeader(html, model);
        html.Add($"<p class=\"notice bad\" id=\"stale\" role=\"status\" hidden></p>\n<main id=\"view\">\n");
        StatusSections.AddNotices(html, model);
        StatusSections.AddLeader(html, model);
        StatusSections.AddNodes(html, model);
        html.Add($"<div class=\"columns\">\n");
        StatusSections.AddEvents(html, model);
        StatusCounters.Add(html, model);
        html.Add($"</div>\n</main>\n<script>");
        html.AddAsset(StatusAssets.Script);
        html.Add($"</script>\n</body>\n</html>\n");
        return html.ToString();
    }

    private static void AddHead(HtmlWriter html, StatusModel model)
    {
        var leader = model.LeaderKnown ? $"{model.View.Leader.LeaderId} leads" : "no leader";
        html.Add($"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.Add($"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.Add($"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n");
        html.Add($"<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>\n");
        html.Add($"<title>{leader} · {model.View.Leader.NodeId}</title>\n");
        html.Add($"<link rel=\"icon\" href=\"data:image/svg+xml,{Icon(model.LeaderKnown)}\">\n<style>");
        html.AddAsset(StatusAssets.Style);
        html.Add($"</style>\n</head>\n");
    }

    private static void AddHeader(HtmlWriter html, StatusModel model)
    {
        html.Add($"<header>\n<p class=\"brand\"><b>Ha</b><span>cluster <bdi>{model.Settings.ClusterId}</bdi></span></p>\n");
        html.Add($"<p class=\"from\">seen from <bdi>{model.View.Leader.NodeId}</bdi></p>\n</header>\n");
    }

    /// <summary>A dot in the tab that shows from afar whether there is a leader.</summary>
    private static string Icon(bool good) =>
        "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6' fill='%23" +
        (good ? "3b8f6b" : "c2832b") + "'/%3E%3C/svg%3E";
}
