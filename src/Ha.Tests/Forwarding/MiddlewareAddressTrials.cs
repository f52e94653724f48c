using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Localization;
using Microsoft.AspNetCore.Rewrite;
using Microsoft.Extensions.DependencyInjection;
using static Ha.Tests.Forwarding.MiddlewareTrial;

namespace Ha.Tests.Forwarding;

/// <summary>Those that change or judge where a request comes from and goes to.</summary>
internal static partial class MiddlewareTrials
{
    private static IEnumerable<MiddlewareTrial> Addresses() =>
    [
        new("UseForwardedHeaders", "before")
        {
            Services = services => services.Configure<ForwardedHeadersOptions>(Trusting),
            Use = (app, _) => app.UseForwardedHeaders(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) =>
                Ran(node, $"{context.Request.Scheme} {context.Request.Host} {context.Connection.RemoteIpAddress}")),
            Request = Post("/x", ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")),
            Before = "200 https shop.example 203.0.113.7 | at follower, at leader, ran leader",
            After = "200 https shop.example 203.0.113.7 | at follower, at leader, ran leader",
        },
        new("UseHostFiltering", "either")
        {
            Services = services => services.AddHostFiltering(filter => filter.AllowedHosts = ["shop.example"]),
            Use = (app, _) => app.UseHostFiltering(),
            Request = Post("/x", ("Host", "other.example")),
            Before = "400 <!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML ... (89) | at follower",
            After = "400 <!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML ... (89) | at follower",
        },
        PathBase("of a write") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))),
            Before = "200 /shop/x is /shop+/x | at follower, at leader, ran leader",
            After = "200 /shop/x is /shop+/x | at follower, at leader, ran leader",
        },
        PathBase("and metadata") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))).AllowOnAnyNode(),
            Before = "200 /shop/x is /shop+/x | at follower, ran follower",
            After = "200 /shop/x is /shop+/x | at follower, at leader, ran leader",
        },
        Rewriter("of a write") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))),
            Before = "200 /old is +/x | at follower, at leader, ran leader",
            After = "200 /old is +/x | at follower, at leader, ran leader",
        },
        Rewriter("and metadata") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))).AllowOnAnyNode(),
            Before = "200 /old is +/x | at follower, ran follower",
            After = "200 /old is +/x | at follower, at leader, ran leader",
        },
        new("UseStaticFiles", "either")
        {
            Use = (app, _) => app.UseStaticFiles(),
            Before = "200 leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("UseRouting", "before")
        {
            Use = (app, _) => app.UseRouting(),
            IsRouting = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).AllowOnAnyNode(),
            Before = "200 follower {\"a\":1} | at follower, ran follower",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("UseCors", "before")
        {
            Services = services => services.AddCors(),
            Use = (app, _) => app.UseCors(cors => cors.WithOrigins("https://shop.example").AllowCredentials()),
            NeedsEndpoint = true,
            Request = Post("/x", ("Origin", "https://shop.example")),
            Headers = ["Access-Control-Allow-Origin"],
            Before = "200 Access-Control-Allow-Origin: https://shop.example leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 Access-Control-Allow-Origin: https://shop.example leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("UseCors", "before")
        {
            Case = "of a refused write",
            Leaderless = true,
            WriteHold = TimeSpan.Zero,
            Services = services => services.AddCors(),
            Use = (app, _) => app.UseCors(cors => cors.WithOrigins("https://shop.example").AllowCredentials()),
            NeedsEndpoint = true,
            Request = Post("/x", ("Origin", "https://shop.example")),
            Headers = ["Access-Control-Allow-Origin"],
            Before = "503 Access-Control-Allow-Origin: https://shop.example (marked) no leader | at follower",
            After = "503 (marked) no leader | at follower",
        },
        new("UseRequestLocalization", "either")
        {
            Use = (app, node) => app.UseRequestLocalization(localization => localization.RequestCultureProviders =
            [
                new CustomRequestCultureProvider(context =>
                {
                    node.Note($"chose {context.Request.Headers.AcceptLanguage}");
                    return Task.FromResult<ProviderCultureResult?>(null);
                }),
            ]),
            Request = Post("/x", ("Accept-Language", "de")),
            Before = "200 leader {\"a\":1} | at follower, chose de follower, at leader, chose de leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, chose de leader, ran leader",
        },
    ];

    private static MiddlewareTrial PathBase(string which) => new("UsePathBase", "before")
    {
        Case = which,
        Use = (app, _) => app.UsePathBase("/shop"),
        Request = Post("/shop/x"),
        Before = "",
        After = "",
    };

    private static MiddlewareTrial Rewriter(string which) => new("UseRewriter", "before")
    {
        Case = which,
        Use = (app, _) => app.UseRewriter(new RewriteOptions().AddRewrite("^old$", "x", skipRemainingRules: true)),
        Request = Post("/old"),
        Before = "",
        After = "",
    };

    private static string Target(HttpContext context) =>
        $"{context.Features.Get<IHttpRequestFeature>()!.RawTarget} is {context.Request.PathBase}+{context.Request.Path}";
}
