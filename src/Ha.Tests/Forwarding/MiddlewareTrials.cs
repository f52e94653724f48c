using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Localization;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Rewrite;
using Microsoft.Extensions.DependencyInjection;
using static Ha.Tests.Forwarding.MiddlewareTrial;

namespace Ha.Tests.Forwarding;

/// <summary>The rows of docs/middleware.md, in their order.</summary>
internal static partial class MiddlewareTrials
{
    public static IReadOnlyList<MiddlewareTrial> All { get; } = [.. Outer(), .. Addresses(), .. Rules(), .. Bodies(), .. Others()];

    private static IEnumerable<MiddlewareTrial> Outer() =>
    [
        new("UseExceptionHandler(path)", "either")
        {
            Use = (app, _) => app.UseExceptionHandler("/error"),
            Endpoints = (app, node) =>
            {
                app.MapPost("/x", node.ThrowAsync);
                app.Map("/error", () => $"sorry from {node.Id}");
            },
            Before = "?",
            After = "?",
        },
        new("UseExceptionHandler(lambda)", "either")
        {
            Use = (app, node) => app.UseExceptionHandler(branch => branch.Run(context => context.Response.WriteAsync($"sorry from {node.Id}"))),
            Endpoints = (app, node) => app.MapPost("/x", node.ThrowAsync),
            Before = "?",
            After = "?",
        },
        new("IExceptionHandler", "either")
        {
            Services = services => services.AddProblemDetails().AddExceptionHandler<TeapotHandler>(),
            Use = (app, _) => app.UseExceptionHandler(),
            Endpoints = (app, node) => app.MapPost("/x", node.ThrowAsync),
            Before = "?",
            After = "?",
        },
        new("UseDeveloperExceptionPage", "either")
        {
            Use = (app, _) => app.UseDeveloperExceptionPage(),
            Endpoints = (app, node) => app.MapPost("/x", node.ThrowAsync),
            Before = "?",
            After = "?",
        },
        new("UseStatusCodePages", "either")
        {
            Use = (app, node) => app.UseStatusCodePages("text/plain", $"{{0}} from {node.Id}"),
            Endpoints = (app, node) => app.MapPost("/x", () => Ran(node, Results.StatusCode(409))),
            Before = "?",
            After = "?",
        },
        new("UseStatusCodePagesWithReExecute", "either")
        {
            Use = (app, _) => app.UseStatusCodePagesWithReExecute("/status/{0}"),
            Endpoints = (app, node) =>
            {
                app.MapPost("/x", () => Ran(node, Results.StatusCode(409)));
                app.Map("/status/{code}", (int code) => $"{code} from {node.Id}");
            },
            Before = "?",
            After = "?",
        },
        new("UseHsts", "before")
        {
            Services = services => services.AddHsts(hsts => hsts.ExcludedHosts.Clear()),
            Use = (app, _) => app.UseHsts(),
            FollowerHasTls = true,
            Headers = ["Strict-Transport-Security"],
            Before = "?",
            After = "?",
        },
        new("UseHttpsRedirection", "either")
        {
            Services = services => services.AddHttpsRedirection(https => https.HttpsPort = 443),
            Use = (app, _) => app.UseHttpsRedirection(),
            FollowerHasTls = true,
            Headers = ["Location"],
            Before = "?",
            After = "?",
        },
        new("UseHttpsRedirection", "either")
        {
            Case = "behind UseForwardedHeaders",
            Services = services => services.AddHttpsRedirection(https => https.HttpsPort = 443)
                .Configure<ForwardedHeadersOptions>(Trusting),
            Use = (app, _) => app.UseForwardedHeaders().UseHttpsRedirection(),
            FollowerHasTls = true,
            Headers = ["Location"],
            Before = "?",
            After = "?",
        },
    ];

    private static IEnumerable<MiddlewareTrial> Addresses() =>
    [
        new("UseForwardedHeaders", "before")
        {
            Services = services => services.Configure<ForwardedHeadersOptions>(Trusting),
            Use = (app, _) => app.UseForwardedHeaders(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) =>
                Ran(node, $"{context.Request.Scheme} {context.Request.Host} {context.Connection.RemoteIpAddress}")),
            Request = Post("/x", ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")),
            Before = "?",
            After = "?",
        },
        new("UseHostFiltering", "either")
        {
            Services = services => services.AddHostFiltering(filter => filter.AllowedHosts = ["shop.example"]),
            Use = (app, _) => app.UseHostFiltering(),
            Request = Post("/x", ("Host", "other.example")),
            Before = "?",
            After = "?",
        },
        PathBase("of a write") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))),
            Before = "?",
            After = "?",
        },
        PathBase("and metadata") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))).AllowOnAnyNode(),
            Before = "?",
            After = "?",
        },
        Rewriter("of a write") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))),
            Before = "?",
            After = "?",
        },
        Rewriter("and metadata") with
        {
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, Target(context))).AllowOnAnyNode(),
            Before = "?",
            After = "?",
        },
        new("UseStaticFiles", "either")
        {
            Use = (app, _) => app.UseStaticFiles(),
            Before = "?",
            After = "?",
        },
        new("UseRouting", "before")
        {
            Use = (app, _) => app.UseRouting(),
            IsRouting = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).AllowOnAnyNode(),
            Before = "?",
            After = "?",
        },
        new("UseCors", "before")
        {
            Services = services => services.AddCors(),
            Use = (app, _) => app.UseCors(cors => cors.WithOrigins("https://shop.example").AllowCredentials()),
            NeedsEndpoint = true,
            Request = Post("/x", ("Origin", "https://shop.example")),
            Headers = ["Access-Control-Allow-Origin"],
            Before = "?",
            After = "?",
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
            Before = "?",
            After = "?",
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
            Before = "?",
            After = "?",
        },
    ];

    private static IEnumerable<MiddlewareTrial> Rules() =>
    [
        new("UseRequestTimeouts", "after")
        {
            Case = "of a running write",
            Services = Timeouts,
            Use = (app, _) => app.UseRequestTimeouts(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapPost("/x", async (HttpContext context) =>
            {
                node.Note("ran");
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }),
            Before = "?",
            After = "?",
        },
        new("UseRequestTimeouts", "after")
        {
            Case = "of a held write",
            Leaderless = true,
            WriteHold = TimeSpan.FromSeconds(3),
            Services = Timeouts,
            Use = (app, _) => app.UseRequestTimeouts(),
            NeedsEndpoint = true,
            Before = "?",
            After = "?",
        },
        new("UseRateLimiter", "after")
        {
            Services = services => services.AddRateLimiter(limiter =>
            {
                limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
                limiter.AddFixedWindowLimiter("one", window => (window.PermitLimit, window.Window) = (1, TimeSpan.FromHours(1)));
            }),
            Use = (app, _) => app.UseRateLimiter(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).RequireRateLimiting("one"),
            Times = 2,
            Before = "?",
            After = "?",
        },
        new("UseAuthentication", "after")
        {
            Services = services => services.AddAuthentication("trial").AddScheme<AuthenticationSchemeOptions, TrialScheme>("trial", null),
            Use = (app, _) => app.UseAuthentication(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, context.User.Identity?.Name)),
            Request = Post("/x", ("Authorization", "trial Ann")),
            Before = "?",
            After = "?",
        },
        new("UseAuthorization", "after")
        {
            Case = "of a stranger",
            Services = services => services.AddAuthorization().AddAuthentication("trial").AddScheme<AuthenticationSchemeOptions, TrialScheme>("trial", null),
            Use = (app, _) => app.UseAuthentication().UseAuthorization(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).RequireAuthorization(),
            Before = "?",
            After = "?",
        },
        new("UseAuthorization", "after")
        {
            Case = "of a user",
            Services = services => services.AddAuthorization().AddAuthentication("trial").AddScheme<AuthenticationSchemeOptions, TrialScheme>("trial", null),
            Use = (app, _) => app.UseAuthentication().UseAuthorization(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).RequireAuthorization(),
            Request = Post("/x", ("Authorization", "trial Ann")),
            Before = "?",
            After = "?",
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

    private static void Trusting(ForwardedHeadersOptions options)
    {
        // The members, here all of loopback, are trusted by default.
        options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
        options.ForwardLimit = 2;
    }

    // The follower's time is up first: the leader has begun later.
    private static void Timeouts(IServiceCollection services) => services.AddRequestTimeouts().AddOptions<RequestTimeoutOptions>()
        .Configure<TrialNode>((timeouts, node) => timeouts.DefaultPolicy = new RequestTimeoutPolicy
        {
            Timeout = TimeSpan.FromSeconds(node.IsFollower ? 1 : 2),
        });

    private static T Ran<T>(TrialNode node, T answer)
    {
        node.Note("ran");
        return answer;
    }
}
