using System.Security.Claims;
using Ha.Tests.Endpoints;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using TestNode = Ha.Tests.Forwarding.TestNode;
using TestNodeSetup = Ha.Tests.Forwarding.TestNodeSetup;

namespace Ha.Tests.ForeignClients;

/// <summary>Forms with antiforgery and a login, sent by a real browser to a follower of another host name than the leader's.</summary>
[Trait("Category", "Long")]
public sealed class FormsInBrowserTests
{
    [FactIfChromium]
    public async Task A_redirect_to_another_host_loses_the_cookies_unless_they_are_for_both()
    {
        await using var browser = await Chromium.StartAsync();

        Assert.Equal("400 invalid form, then nobody", await SubmitAsync(browser, ForwardMode.Redirect, domain: null));
        Assert.Equal("Ann logged in, then nobody", await SubmitAsync(browser, ForwardMode.Redirect, domain: null, "/login?unchecked"));
        Assert.Equal("Ann logged in, then Ann", await SubmitAsync(browser, ForwardMode.Redirect, domain: "shop.localhost"));
        Assert.Equal("Ann logged in, then Ann", await SubmitAsync(browser, ForwardMode.Proxy, domain: null));
    }

    /// <returns>What the login form's POST through a follower came to, and who the follower then takes the browser for.</returns>
    private static async Task<string> SubmitAsync(Chromium browser, ForwardMode mode, string? domain, string form = "/login")
    {
        var setup = new TestNodeSetup { Builder = Services(domain), App = App, Options = options => options.ForwardMode = mode };
        await using var leader = await TestNode.StartAsync(setup with { Id = "leader" });
        leader.Leadership.Lead();
        await using var follower = await TestNode.StartAsync(setup);
        follower.Leadership.Follow(leader.Url, publicUrl: $"http://b.shop.localhost:{leader.Port}");
        var own = $"http://a.shop.localhost:{follower.Port}";

        await browser.OpenAsync(own + form);
        await browser.HtmlWhenAsync(static html => html.Contains("<form", StringComparison.Ordinal));
        await browser.EvaluateAsync("document.forms[0].submit()");
        var came = await browser.HtmlWhenAsync(static html => html.Contains("<main>", StringComparison.Ordinal));
        await browser.OpenAsync(own + "/me");
        var me = await browser.HtmlWhenAsync(static html => html.Contains("<aside>", StringComparison.Ordinal));
        return $"{Between(came, "main")}, then {Between(me, "aside")}";
    }

    private static Action<WebApplicationBuilder> Services(string? domain)
    {
        var keys = new EphemeralDataProtectionProvider();
        return builder =>
        {
            builder.Services.AddSingleton<IDataProtectionProvider>(keys);
            builder.Services.AddAntiforgery(options => (options.Cookie.Name, options.Cookie.Domain) = ("form", domain));
            builder.Services.AddAuthentication("cookies").AddCookie("cookies", options => options.Cookie.Domain = domain);
        };
    }

    private static void App(WebApplication app)
    {
        app.MapGet("/login", (HttpContext http, IAntiforgery antiforgery) =>
        {
            var tokens = antiforgery.GetAndStoreTokens(http);
            return Page($"<form method=post><input type=hidden name={tokens.FormFieldName} value={tokens.RequestToken}></form>");
        });
        app.MapPost("/login", async (HttpContext http, IAntiforgery antiforgery) =>
        {
            if (!http.Request.Query.ContainsKey("unchecked") && !await antiforgery.IsRequestValidAsync(http))
            {
                return Page("<main>400 invalid form</main>", StatusCodes.Status400BadRequest);
            }

            await http.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, "Ann")], "cookies")));
            return Page("<main>Ann logged in</main>");
        });
        app.MapGet("/me", (HttpContext http) => Page($"<aside>{http.User.Identity?.Name ?? "nobody"}</aside>"));
    }

    private static IResult Page(string html, int status = StatusCodes.Status200OK) =>
        Results.Content("<!doctype html><title>login</title>" + html, "text/html", statusCode: status);

    private static string Between(string html, string tag) =>
        html.Split($"<{tag}>")[1].Split($"</{tag}>")[0];
}
