using System.Net.WebSockets;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.CookiePolicy;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using static Ha.Tests.Forwarding.MiddlewareTrial;

namespace Ha.Tests.Forwarding;

/// <summary>Cookies, connections, branches, and what belongs to endpoints.</summary>
internal static partial class MiddlewareTrials
{
    private static IEnumerable<MiddlewareTrial> Others() =>
    [
        new("UseWebSockets", "either")
        {
            Use = (app, _) => app.UseWebSockets(),
            Endpoints = (app, node) => app.MapGet("/x", async (HttpContext context) =>
            {
                node.Note("ran");
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
            }).RequireLeader(),
            Request = Get("/x", ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")),
            Headers = ["Sec-WebSocket-Accept"],
            Before = "101 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | at follower, at leader, ran leader",
            After = "101 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | at follower, at leader, ran leader",
        },
        new("UseHealthChecks", "either")
        {
            Services = services => services.AddHealthChecks(),
            Use = (app, _) => app.UseHealthChecks("/health"),
            Request = Get("/health"),
            Before = "200 Healthy | at follower",
            After = "200 Healthy | at follower",
        },
        new("UseHealthChecks", "either")
        {
            Case = "as an endpoint",
            Services = services => services.AddHealthChecks(),
            Use = (app, _) => app.MapHealthChecks("/health"),
            Request = Get("/health"),
            Before = "200 Healthy | at follower",
            After = "200 Healthy | at follower",
        },
        new("UseCookiePolicy", "either")
        {
            Services = services => services.AddCookiePolicy(policy => policy.HttpOnly = HttpOnlyPolicy.Always),
            Use = (app, _) => app.UseCookiePolicy(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) =>
            {
                context.Response.Cookies.Append("a", "b");
                return Ran(node, "set");
            }),
            Headers = ["Set-Cookie"],
            Before = "200 Set-Cookie: a=b; path=/; httponly set | at follower, at leader, ran leader",
            After = "200 Set-Cookie: a=b; path=/; httponly set | at follower, at leader, ran leader",
        },
        new("UseCertificateForwarding", "either")
        {
            Services = services => services.AddCertificateForwarding(forwarding => forwarding.CertificateHeader = "X-Client-Cert"),
            Use = (app, _) => app.UseCertificateForwarding(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, context.Connection.ClientCertificate?.Subject)),
            Request = _ => CertifiedAsync(),
            Before = "200 CN=ann.example | at follower, at leader, ran leader",
            After = "200 CN=ann.example | at follower, at leader, ran leader",
        },
        new("UseWhen", "either")
        {
            Use = (app, _) => app.UseWhen(context => context.Request.Path == "/x", branch => branch.Use(static (context, next) =>
            {
                context.Response.Headers.Append("X-Branch", "seen");
                return next(context);
            })),
            Headers = ["X-Branch"],
            Before = "200 X-Branch: seen leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 X-Branch: seen leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("Map(path, branch)", "after")
        {
            Use = (app, node) => app.Map("/branch", branch => branch.Run(node.EchoAsync)),
            Request = Post("/branch"),
            Before = "200 follower {\"a\":1} | at follower, ran follower",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("MVC and endpoint filters", "after")
        {
            Use = (app, node) => app.MapGroup("").AddEndpointFilter((context, next) =>
            {
                node.Note("filtered");
                return next(context);
            }).MapPost("/x", ([FromBody] Dictionary<string, int> order) => Ran(node, $"{order.Count}")),
            Endpoints = static (_, _) => { },
            Before = "200 1 | at follower, at leader, filtered leader, ran leader",
            After = "200 1 | at follower, at leader, filtered leader, ran leader",
        },
    ];

    private static async Task<HttpRequestMessage> CertifiedAsync()
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("ann.example").Load();
        return await Post("/x", ("X-Client-Cert", Convert.ToBase64String(certificate.RawData)))(null!);
    }
}
