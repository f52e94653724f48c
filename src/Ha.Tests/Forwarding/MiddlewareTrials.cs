using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.RateLimiting;
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
            Before = "500 sorry from leader | at follower, at leader, ran leader",
            After = "500 sorry from leader | at follower, at leader, ran leader",
        },
        new("UseExceptionHandler(lambda)", "either")
        {
            Use = (app, node) => app.UseExceptionHandler(branch =>
                branch.Run(context => context.Response.WriteAsync($"sorry from {node.Id}"))),
            Endpoints = (app, node) => app.MapPost("/x", node.ThrowAsync),
            Before = "500 sorry from leader | at follower, at leader, ran leader",
            After = "500 sorry from leader | at follower, at leader, ran leader",
        },
        new("IExceptionHandler", "either")
        {
            Services = services => services.AddProblemDetails().AddExceptionHandler<TeapotHandler>(),
            Use = (app, _) => app.UseExceptionHandler(),
            Endpoints = (app, node) => app.MapPost("/x", node.ThrowAsync),
            Before = "418 sorry from leader | at follower, at leader, ran leader",
            After = "418 sorry from leader | at follower, at leader, ran leader",
        },
        new("UseDeveloperExceptionPage", "either")
        {
            Use = (app, _) => app.UseDeveloperExceptionPage(),
            Endpoints = (app, node) => app.MapPost("/x", node.ThrowAsync),
            Before = "500 System.InvalidOperationException: failed... (51) | at follower, at leader, ran leader",
            After = "500 System.InvalidOperationException: failed... (51) | at follower, at leader, ran leader",
        },
        new("UseStatusCodePages", "either")
        {
            Use = (app, node) => app.UseStatusCodePages("text/plain", $"{{0}} from {node.Id}"),
            Endpoints = (app, node) => app.MapPost("/x", () => Ran(node, Results.StatusCode(409))),
            Before = "409 409 from leader | at follower, at leader, ran leader",
            After = "409 409 from leader | at follower, at leader, ran leader",
        },
        new("UseStatusCodePagesWithReExecute", "either")
        {
            Use = (app, _) => app.UseStatusCodePagesWithReExecute("/status/{0}"),
            Endpoints = (app, node) =>
            {
                app.MapPost("/x", () => Ran(node, Results.StatusCode(409)));
                app.Map("/status/{code}", (int code) => $"{code} from {node.Id}");
            },
            Before = "409 409 from leader | at follower, at leader, ran leader",
            After = "409 409 from leader | at follower, at leader, ran leader",
        },
        new("UseHsts", "before")
        {
            Services = services => services.AddHsts(hsts => hsts.ExcludedHosts.Clear()),
            Use = (app, _) => app.UseHsts(),
            FollowerHasTls = true,
            Headers = ["Strict-Transport-Security"],
            Before = "200 Strict-Transport-Security: max-age=2592000 leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("UseHttpsRedirection", "either")
        {
            Services = services => services.AddHttpsRedirection(https => https.HttpsPort = 443),
            Use = (app, _) => app.UseHttpsRedirection(),
            FollowerHasTls = true,
            Headers = ["Location"],
            Before = "307 Location: https://localhost/x | at follower, at leader",
            After = "307 Location: https://localhost/x | at follower, at leader",
        },
        new("UseHttpsRedirection", "either")
        {
            Case = "behind UseForwardedHeaders",
            Services = services => services.AddHttpsRedirection(https => https.HttpsPort = 443)
                .Configure<ForwardedHeadersOptions>(Trusting),
            Use = (app, _) => app.UseForwardedHeaders().UseHttpsRedirection(),
            FollowerHasTls = true,
            Headers = ["Location"],
            Before = "200 leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
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
            Before = "502 outcome unknown | at follower, at leader, ran leader",
            After = "504 | at follower, at leader, ran leader",
        },
        new("UseRequestTimeouts", "after")
        {
            Case = "of a held write",
            Leaderless = true,
            WriteHold = TimeSpan.FromSeconds(3),
            Services = Timeouts,
            Use = (app, _) => app.UseRequestTimeouts(),
            NeedsEndpoint = true,
            Before = "503 (marked) not executed | at follower",
            After = "503 (marked) no leader | at follower",
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
            Before = "429 | at follower, at leader, ran leader, at follower",
            After = "429 | at follower, at leader, ran leader, at follower, at leader",
        },
        new("UseAuthentication", "after")
        {
            Services = services => services.AddAuthentication("trial").AddScheme<AuthenticationSchemeOptions, TrialScheme>("trial", null),
            Use = (app, _) => app.UseAuthentication(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, context.User.Identity?.Name)),
            Request = Post("/x", ("Authorization", "trial Ann")),
            Before = "200 Ann | at follower, authenticated follower, at leader, authenticated leader, ran leader",
            After = "200 Ann | at follower, at leader, authenticated leader, ran leader",
        },
        new("UseAuthorization", "after")
        {
            Case = "of a stranger",
            Services = services => services.AddAuthorization().AddAuthentication("trial")
                .AddScheme<AuthenticationSchemeOptions, TrialScheme>("trial", null),
            Use = (app, _) => app.UseAuthentication().UseAuthorization(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).RequireAuthorization(),
            Before = "401 | at follower, authenticated follower",
            After = "401 | at follower, at leader, authenticated leader",
        },
        new("UseAuthorization", "after")
        {
            Case = "of a user",
            Services = services => services.AddAuthorization().AddAuthentication("trial")
                .AddScheme<AuthenticationSchemeOptions, TrialScheme>("trial", null),
            Use = (app, _) => app.UseAuthentication().UseAuthorization(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapPost("/x", node.EchoAsync).RequireAuthorization(),
            Request = Post("/x", ("Authorization", "trial Ann")),
            Before = "200 leader {\"a\":1} | at follower, authenticated follower, at leader, authenticated leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, authenticated leader, ran leader",
        },
    ];

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
