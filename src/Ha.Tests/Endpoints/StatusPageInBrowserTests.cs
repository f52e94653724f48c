using Ha.Election;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Endpoints;

/// <summary>The page as a browser makes it, over a real socket.</summary>
public sealed class StatusPageInBrowserTests
{
    private const string Hostile = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>";

    [FactIfChromium]
    public async Task The_page_shows_the_nodes_and_follows_changes()
    {
        await using var node = new TestNode();
        await using var server = await ServeAsync(node);
        await using var browser = await Chromium.StartAsync();

        await browser.OpenAsync(Url(server));
        await browser.HtmlWhenAsync(html => html.Contains("<h1><bdi>node-a</bdi></h1>", StringComparison.Ordinal));
        Assert.Equal("node-a,node-b,node-c", await browser.EvaluateAsync("[...document.querySelectorAll('.node h3')].map(e => e.textContent)"));

        node.Provider.Current = node.Snapshot("node-b", "node-c");
        await browser.HtmlWhenAsync(html => html.Contains("<h1><bdi>node-c</bdi></h1>", StringComparison.Ordinal));
        Assert.Equal("node-c leads · node-b", await browser.EvaluateAsync("document.title"));

        node.Provider.Current = node.Snapshot("node-b", leader: null);
        await browser.HtmlWhenAsync(html => html.Contains("<h1>None</h1>", StringComparison.Ordinal));
    }

    [FactIfChromium]
    public async Task The_lease_counts_down_between_two_answers()
    {
        await using var node = new TestNode();
        await using var server = await ServeAsync(node);
        await using var browser = await Chromium.StartAsync();
        await browser.OpenAsync(Url(server));

        // The node's clock stands still, so every answer says 1.3 s; only the script can count on.
        await browser.HtmlWhenAsync(html => html.Contains("<span id=\"lease-left\">0.", StringComparison.Ordinal));
    }

    [FactIfChromium]
    public async Task The_page_says_when_its_node_no_longer_answers()
    {
        await using var node = new TestNode();
        var server = await ServeAsync(node);
        await using var browser = await Chromium.StartAsync();
        await browser.OpenAsync(Url(server));
        await browser.HtmlWhenAsync(html => html.Contains("<h1><bdi>node-a</bdi></h1>", StringComparison.Ordinal));

        await server.StopAsync();
        await server.DisposeAsync();

        await browser.HtmlWhenAsync(html => html.Contains(">This node does not answer.", StringComparison.Ordinal));
        Assert.Equal("false", await browser.EvaluateAsync("document.getElementById('stale').hidden"));
    }

    [FactIfChromium]
    public async Task The_page_is_whole_without_scripts_and_reloads_itself()
    {
        await using var node = new TestNode();
        await using var server = await ServeAsync(node);
        await using var browser = await Chromium.StartAsync();

        await browser.DisableScriptsAsync();
        await browser.OpenAsync(Url(server));

        // All at once, since a browser shows the beginning of a page before its end has come.
        string[] shown = ["<h1><bdi>node-a</bdi></h1>", .. new[] { "node-a", "node-b", "node-c" }.Select(id => $"<h3><bdi>{id}</bdi></h3>")];
        await browser.HtmlWhenAsync(html => shown.All(part => html.Contains(part, StringComparison.Ordinal)));

        node.Provider.Current = node.Snapshot("node-b", "node-c");
        await browser.HtmlWhenAsync(html => html.Contains("<h1><bdi>node-c</bdi></h1>", StringComparison.Ordinal));
    }

    [FactIfChromium]
    public async Task Whatever_a_node_calls_itself_stays_text()
    {
        await using var node = new TestNode();
        node.Members = [.. node.Members.Select(member => member with
        {
            NodeId = Hostile,
            Role = Hostile,
            Target = "javascript:document.title='owned'",
            PublicTarget = "javascript:document.title='owned'",
            ConfigMismatch = Hostile,
        })];
        node.Telemetry.Publish(new ElectionEvent(ElectionEventKind.LeaderSeen, Hostile, 1, Hostile));
        await using var server = await ServeAsync(node);
        await using var browser = await Chromium.StartAsync();
        await browser.OpenAsync(Url(server));
        await browser.HtmlWhenAsync(html => html.Contains("</html>", StringComparison.Ordinal) && html.Contains("class=\"node", StringComparison.Ordinal));

        // The change comes by script, the rest by the first rendering: both ways in are tried.
        node.Provider.Current = node.Snapshot("node-b", Hostile);
        await browser.HtmlWhenAsync(html => html.Contains("<h1><bdi>&lt;img", StringComparison.Ordinal));

        Assert.Equal("0", await browser.EvaluateAsync("document.images.length"));
        Assert.Equal("1", await browser.EvaluateAsync("document.scripts.length"));
        Assert.Equal("0", await browser.EvaluateAsync("document.querySelectorAll('.node a').length"));
        Assert.Equal(Hostile + " leads · node-b", await browser.EvaluateAsync("document.title"));
    }

    private static string Url(WebApplication server) => server.Urls.Single() + "/_ha";

    private static async Task<WebApplication> ServeAsync(TestNode node)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        node.Configure(app);
        await app.StartAsync();
        return app;
    }
}
