using System.Collections.Concurrent;
using Ha.Tests.Endpoints;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Forwarding;

/// <summary>A page writes through a follower of another origin, in a real browser; docs/forwarding.md says the same.</summary>
public sealed class CorsInBrowserTests
{
    // Nobody's URL: whoever is told that it is his and the leader's, leads.
    private const string Self = "http://127.0.0.1:1";

    private readonly ConcurrentBag<string> _origins = [];
    private int _writes;

    [FactIfChromium]
    public async Task A_page_writes_through_a_follower()
    {
        await using var page = await ServeAsync([], app => app.MapGet("/", Page));
        _origins.Add(Url(page));
        await using var leader = await NodeAsync("leader", Self);
        await using var proxy = await NodeAsync("proxy", Url(leader), "proxy");
        await using var redirect = await NodeAsync("redirect", Url(leader));
        await using var lost = await NodeAsync("lost", "http://127.0.0.1:9", "proxy");
        await using var lostAndWrong = await NodeAsync("wrong", "http://127.0.0.1:9", "proxy", haFirst: true);
        await using var browser = await Chromium.StartAsync();
        await OpenAsync(browser, page);
        var whole = $"201 Origin {Url(page)} Authorization Bearer x";

        // Proxy mode: as if the leader had been asked, and so with the wish for it.
        Assert.Equal(whole, await browser.EvaluateAsync(Write(Url(proxy))));
        Assert.Equal(whole, await browser.EvaluateAsync(Write(Url(redirect), "'X-Base-Forward': 'proxy'")));

        // Redirect mode: the page may ask who leads, and write there.
        Assert.Equal(whole, await browser.EvaluateAsync(
            $"fetch('{Url(redirect)}/notes').then(a => a.headers.get('X-Base-Leader')).then(leader => {Write("' + leader + '")})"));
        Assert.Equal(3, _writes);

        // Behind a redirect the browser hides the page from the leader, which then refuses it, and takes the token off.
        Assert.Equal("TypeError", await browser.EvaluateAsync(Write(Url(redirect))));
        Assert.Equal(3, _writes);
        _origins.Add("null");
        Assert.Equal("201 Origin null Authorization ", await browser.EvaluateAsync(Write(Url(redirect))));

        // A refusal is an answer too: the page sees it where UseCors comes first.
        Assert.StartsWith("503 {", await browser.EvaluateAsync(Write(Url(lost))), StringComparison.Ordinal);
        Assert.Equal("TypeError", await browser.EvaluateAsync(Write(Url(lostAndWrong))));

        // The page of a node itself: its own origin stays, the token does not.
        _origins.Add(Url(redirect));
        await OpenAsync(browser, redirect);
        Assert.Equal($"201 Origin {Url(redirect)} Authorization ", await browser.EvaluateAsync(Write("")));
    }

    [FactIfChromium]
    public async Task A_page_reads_what_it_has_written_through_a_follower_that_is_behind_and_redirects()
    {
        await using var page = await ServeAsync([], app => app.MapGet("/", Page));
        _origins.Add(Url(page));
        await using var leader = await NodeAsync("leader", Self, lags: true);
        await using var behind = await NodeAsync("behind", Url(leader), lags: true);
        await using var browser = await Chromium.StartAsync();
        await OpenAsync(browser, page);

        var read = await browser.EvaluateAsync($$"""
            fetch('{{Url(leader)}}/notes', { method: 'POST' }).then(a => a.headers.get('X-Base-Position')).then(position =>
              fetch('{{Url(behind)}}/notes', { headers: { 'Authorization': 'Bearer x', 'X-Base-Position': position } })
                .then(async a => a.status + ' ' + a.redirected + ' ' + await a.text(), e => e.name))
            """);

        Assert.Equal($"200 false leader Origin {Url(page)} Authorization Bearer x", read);
    }

    private static IResult Page() => Results.Content("<!doctype html><title>page</title>", "text/html");

    private static string Url(WebApplication app) => app.Urls.Single();

    private static async Task OpenAsync(Chromium browser, WebApplication app)
    {
        await browser.OpenAsync(Url(app));
        await browser.HtmlWhenAsync(html => html.Contains("<title>page</title>", StringComparison.Ordinal));
    }

    private static string Write(string url, string headers = "") => $$"""
        fetch('{{url}}/notes', {
            method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json', 'Authorization': 'Bearer x', {{headers}} }
          })
          .then(async a => a.status + ' ' + await a.text(), e => e.name)
        """;

    private static string Sent(HttpRequest request) =>
        $"Origin {request.Headers.Origin} Authorization {request.Headers.Authorization}";

    private Task<WebApplication> NodeAsync(
        string id, string leader, string mode = "redirect", bool haFirst = false, bool lags = false) => ServeAsync(
        [
            ("BASE_NODE_ID", id),
            ("BASE_STATIC_LEADER", leader),
            ("BASE_LOCAL_TARGET", Self),
            ("BASE_FORWARD_MODE", mode),
            ("BASE_FORWARD_OVERRIDE", "true"),
            ("BASE_WRITE_HOLD", "0"),
            ("BASE_CLUSTER_SECRET", "a-secret-for-the-tests-only"),
        ],
        app =>
        {
            if (haFirst)
            {
                app.UseHa();
            }

            app.UseCors(policy => policy.SetIsOriginAllowed(_origins.Contains).AllowAnyHeader().AllowAnyMethod()
                .WithExposedHeaders("X-Base-Leader", "X-Base-Position"));
            if (!haFirst)
            {
                app.UseHa();
            }

            app.MapGet("/", Page);
            app.MapGet("/notes", (HttpRequest request) => $"{id} {Sent(request)}");
            app.MapPost("/notes", (HttpRequest request) =>
            {
                Interlocked.Increment(ref _writes);
                return Results.Text(Sent(request), statusCode: StatusCodes.Status201Created);
            });
        },
        options => options.Consistency = !lags ? null : _ => new ReadConsistency(_ => new ValueTask<long>(1L), _ => new ValueTask<long>(0L))
        {
            MaxWait = TimeSpan.FromMilliseconds(50),
        });

    private static async Task<WebApplication> ServeAsync(
        (string Key, string Value)[] settings, Action<WebApplication> configure, Action<HaOptions>? options = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        builder.Services.AddHa(options);
        builder.Services.AddCors();
        var app = builder.Build();
        configure(app);
        await app.StartAsync();
        return app;
    }
}
