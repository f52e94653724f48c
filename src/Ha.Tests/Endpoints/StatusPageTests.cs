using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Ha.Election;
using Ha.Endpoints.StatusPage;
using Ha.Telemetry;

namespace Ha.Tests.Endpoints;

public sealed partial class StatusPageTests
{
    [Fact]
    public async Task The_policy_allows_exactly_the_style_and_the_script_of_the_page()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/_ha");
        var html = await response.Content.ReadAsStringAsync();
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));

        Assert.Equal("text/html; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Contains($"style-src {Hash(Style().Match(html))};", policy, StringComparison.Ordinal);
        Assert.Contains($"script-src {Hash(Script().Match(html))};", policy, StringComparison.Ordinal);
        Assert.StartsWith("default-src 'none';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_page_loads_nothing_from_anywhere()
    {
        await using var node = new TestNode();
        using var client = await node.StartAsync();
        var html = await client.GetStringAsync("/_ha");
        Assert.DoesNotContain("src=", html, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", html, StringComparison.Ordinal);
        Assert.DoesNotContain("url(", html, StringComparison.Ordinal);
        Assert.DoesNotContain(" style=", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Switched_off_it_is_not_there()
    {
        await using var node = new TestNode();
        node.Settings = node.Settings with { StatusPage = false };
        using var client = await node.StartAsync();
        using var response = await client.GetAsync("/_ha");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task It_shows_leader_nodes_events_and_counters()
    {
        await using var node = new TestNode();
        node.Telemetry.Publish(new ElectionEvent(ElectionEventKind.LeaderSeen, "node-a", 42, "heard"));
        node.Metrics.Write(WriteOutcome.Redirected, TimeSpan.FromMilliseconds(1));
        using var client = await node.StartAsync();
        var html = await client.GetStringAsync("/_ha");
        Assert.Contains("<dd>1753000000000001</dd>", html, StringComparison.Ordinal);
        Assert.Contains("max=\"1500\" value=\"1250\"", html, StringComparison.Ordinal);
        Assert.Contains("3 of 3 up, 2 needed", html, StringComparison.Ordinal);
        Assert.Contains("node-a leads, epoch 42<small>heard</small>", html, StringComparison.Ordinal);
        Assert.Contains("<dt>Redirected</dt><dd>1</dd>", html, StringComparison.Ordinal);
        Assert.Contains("<dt>Round trip</dt><dd>0.9 ms</dd>", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_warns_of_what_an_operator_must_know()
    {
        await using var node = new TestNode { Stopping = new CancellationToken(canceled: true) };
        node.Members = [.. node.Members.Select(member => member with { Up = member.IsSelf })];
        using var client = await node.StartAsync();
        var html = await client.GetStringAsync("/_ha");
        Assert.Contains("1 of 3 nodes up, 2 needed", html, StringComparison.Ordinal);
        Assert.Contains("handing over or shutting down", html, StringComparison.Ordinal);

        node.Quorum = "off";
        Assert.Contains("Quorum is off", await client.GetStringAsync("/_ha"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_shows_who_does_not_stand_and_what_ends_it()
    {
        await using var node = new TestNode();
        node.Members = [node.Members[0] with { Unhealthy = true }, node.Members[1] with { Paused = true, Unhealthy = true }, node.Members[2]];
        using var client = await node.StartAsync();
        var page = await client.GetStringAsync("/_ha");
        Assert.Contains("This node is paused: it follows and forwards, and does not lead, until it is resumed (POST /_ha/resume) or restarted.", page, StringComparison.Ordinal);
        Assert.Contains("The application is not healthy here: it follows and forwards, and does not lead, until its health checks pass.", page, StringComparison.Ordinal);
        Assert.Equal(2, page.Split("<span class=\"tag\">paused</span>").Length);
        Assert.Equal(3, page.Split("<span class=\"tag\">unhealthy</span>").Length);
    }

    [Fact]
    public async Task A_leader_that_does_not_stand_leads_until_another_can()
    {
        await using var node = new TestNode(self: "node-a");
        node.Members = [node.Members[0] with { Unhealthy = true }, node.Members[1], node.Members[2]];
        using var client = await node.StartAsync();
        Assert.Contains(
            "it leads until another node can take over, and not again until its health checks pass.", await client.GetStringAsync("/_ha"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_that_is_heard_and_not_counted_is_not_called_absent()
    {
        await using var node = new TestNode();
        node.Members = [.. node.Members.Select(member => member.IsSelf ? member : member with { NodeId = "", Up = false, ConfigMismatch = "its NodeID is used" })];
        using var client = await node.StartAsync();
        var html = await client.GetStringAsync("/_ha");
        Assert.Contains("nobody can lead until the settings below agree", html, StringComparison.Ordinal);
        Assert.Contains("<bdi>heard, not counted</bdi>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("not heard yet", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_event_has_words_and_a_tone()
    {
        Assert.All(Enum.GetValues<ElectionEventKind>(), kind =>
        {
            var e = new RecentEvent(default, kind, "n", 1, "w");
            Assert.NotEmpty(EventText.Sentence(e));
            Assert.True(EventText.Tone(kind) is "good" or "warn" or "bad" or "calm");
        });
    }

    [Fact]
    public void What_is_filled_in_is_encoded_and_what_is_written_is_not()
    {
        var html = new HtmlWriter();
        html.Add($"<b title=\"{"\"'<&>"}\">{5L}</b>{null}");
        Assert.Equal("<b title=\"&quot;&#x27;&lt;&amp;&gt;\">5</b>", html.ToString());
    }

    [Theory]
    [InlineData(0.64, "0.6 ms")]
    [InlineData(42, "42 ms")]
    [InlineData(1250, "1.3 s")]
    [InlineData(77_000, "77 s")]
    [InlineData(600_000, "10 min")]
    [InlineData(36_000_000, "10 h")]
    [InlineData(864_000_000, "10 d")]
    public void Spans_are_short(double milliseconds, string expected) =>
        Assert.Equal(expected, StatusSections.Span(TimeSpan.FromMilliseconds(milliseconds)));

    private static string Hash(Match match)
    {
        Assert.True(match.Success);
        return $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(match.Groups["text"].Value)))}'";
    }

    [GeneratedRegex("<style>(?<text>.*?)</style>", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Style();

    [GeneratedRegex("<script>(?<text>.*?)</script>", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Script();
}
