using System.IO.Compression;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.CookiePolicy;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpLogging;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using static Ha.Tests.Forwarding.MiddlewareTrial;

namespace Ha.Tests.Forwarding;

/// <summary>Those that touch bodies, cookies and connections.</summary>
internal static partial class MiddlewareTrials
{
    // Shared between the nodes, as docs/forwarding.md asks.
    private static readonly EphemeralDataProtectionProvider _keys = new();

    private static readonly string _long = new('a', 20_000);

    private static IEnumerable<MiddlewareTrial> Bodies() =>
    [
        Antiforgery("with a valid token") with { Before = "?", After = "?" },
        Antiforgery("in redirect mode") with { Mode = ForwardMode.Redirect, Before = "?", After = "?" },
        new("UseSession", "either")
        {
            Services = services => services.AddDistributedMemoryCache().AddSession().AddSingleton<IDataProtectionProvider>(_keys),
            Use = (app, _) => app.UseSession(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) =>
            {
                var count = context.Session.GetInt32("count") + 1 ?? 1;
                context.Session.SetInt32("count", count);
                return Ran(node, $"{count}");
            }),
            Times = 2,
            Before = "?",
            After = "?",
        },
        new("UseResponseCompression", "either")
        {
            Services = services => services.AddResponseCompression(),
            Use = (app, _) => app.UseResponseCompression(),
            Endpoints = (app, node) => app.MapPost("/x", () => Ran(node, _long)),
            Request = Post("/x", ("Accept-Encoding", "gzip")),
            Headers = ["Content-Encoding", "Vary"],
            Before = "?",
            After = "?",
        },
        new("UseResponseCaching", "after")
        {
            Case = "of a write",
            Services = services => services.AddResponseCaching(),
            Use = (app, _) => app.UseResponseCaching(),
            Times = 2,
            Before = "?",
            After = "?",
        },
        new("UseResponseCaching", "after")
        {
            Case = "of a GET that needs the leader",
            Services = services => services.AddResponseCaching(),
            Use = (app, _) => app.UseResponseCaching(),
            Endpoints = (app, node) => app.MapGet("/x", (HttpContext context) =>
            {
                context.Response.Headers.CacheControl = "public, max-age=600";
                return Ran(node, "fresh");
            }).RequireLeader(),
            Request = Get("/x"),
            Times = 2,
            Before = "?",
            After = "?",
        },
        new("UseOutputCache", "after")
        {
            Services = services => services.AddOutputCache(),
            Use = (app, _) => app.UseOutputCache(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapGet("/x", () => Ran(node, "fresh")).RequireLeader().CacheOutput(),
            Request = Get("/x"),
            Times = 2,
            Before = "?",
            After = "?",
        },
        new("UseRequestDecompression", "after")
        {
            Services = services => services.AddRequestDecompression(),
            Use = (app, _) => app.UseRequestDecompression(),
            Endpoints = (app, node) => app.MapPost("/x", async (HttpRequest request) =>
            {
                using var reader = new StreamReader(request.Body);
                return Ran(node, $"{(await reader.ReadToEndAsync()).Length} {request.Headers.TransferEncoding}{request.ContentLength}");
            }),
            Request = _ => Task.FromResult(Gzipped()),
            Before = "?",
            After = "?",
        },
        new("UseHttpLogging", "either")
        {
            Services = services => services.AddHttpLogging(logging => logging.LoggingFields = HttpLoggingFields.All),
            Use = (app, _) => app.UseHttpLogging(),
            Before = "?",
            After = "?",
        },
        new("UseW3CLogging", "either")
        {
            Services = services => services.AddW3CLogging(logging => logging.LogDirectory = Path.Combine(Path.GetTempPath(), "ha-w3c")),
            Use = (app, _) => app.UseW3CLogging(),
            Before = "?",
            After = "?",
        },
        new("EnableBuffering", "either")
        {
            Use = (app, _) => app.Use((context, next) =>
            {
                context.Request.EnableBuffering();
                return next(context);
            }),
            Before = "?",
            After = "?",
        },
        new("Your own that reads the body", "after")
        {
            Use = (app, _) => app.Use(async (context, next) =>
            {
                context.Items["order"] = await context.Request.ReadFromJsonAsync<Dictionary<string, int>>();
                await next(context);
            }),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, $"{context.Items["order"] is not null}")),
            Before = "?",
            After = "?",
        },
    ];

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
            Request = Get("/x", ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")),
            Headers = ["Sec-WebSocket-Accept"],
            Before = "?",
            After = "?",
        },
        new("UseHealthChecks", "either")
        {
            Services = services => services.AddHealthChecks(),
            Use = (app, _) => app.UseHealthChecks("/health"),
            Request = Get("/health"),
            Before = "?",
            After = "?",
        },
        new("UseHealthChecks", "either")
        {
            Case = "as an endpoint",
            Services = services => services.AddHealthChecks(),
            Use = (app, _) => app.MapHealthChecks("/health"),
            Request = Get("/health"),
            Before = "?",
            After = "?",
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
            Before = "?",
            After = "?",
        },
        new("UseCertificateForwarding", "either")
        {
            Services = services => services.AddCertificateForwarding(forwarding => forwarding.CertificateHeader = "X-Client-Cert"),
            Use = (app, _) => app.UseCertificateForwarding(),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, context.Connection.ClientCertificate?.Subject)),
            Request = _ => CertifiedAsync(),
            Before = "?",
            After = "?",
        },
        new("UseWhen", "either")
        {
            Use = (app, _) => app.UseWhen(static context => context.Request.Path == "/x", static branch => branch.Use(static (context, next) =>
            {
                context.Response.Headers.Append("X-Branch", "seen");
                return next(context);
            })),
            Headers = ["X-Branch"],
            Before = "?",
            After = "?",
        },
        new("Map(path, branch)", "after")
        {
            Use = (app, node) => app.Map("/branch", branch => branch.Run(node.EchoAsync)),
            Request = Post("/branch"),
            Before = "?",
            After = "?",
        },
        new("MVC and endpoint filters", "after")
        {
            Use = (app, node) => app.MapGroup("").AddEndpointFilter((context, next) =>
            {
                node.Note("filtered");
                return next(context);
            }).MapPost("/x", ([FromBody] Dictionary<string, int> order) => Ran(node, $"{order.Count}")),
            Endpoints = static (_, _) => { },
            Before = "?",
            After = "?",
        },
    ];

    private static MiddlewareTrial Antiforgery(string which) => new("UseAntiforgery", "after")
    {
        Case = which,
        Services = services => services.AddAntiforgery().AddSingleton<IDataProtectionProvider>(_keys),
        Use = (app, _) => app.UseAntiforgery(),
        NeedsEndpoint = true,
        Endpoints = (app, node) =>
        {
            app.MapGet("/token", (HttpContext context, IAntiforgery antiforgery) => antiforgery.GetAndStoreTokens(context).RequestToken);
            app.MapPost("/x", ([FromForm] string name) => Ran(node, name));
        },
        Request = async client => new HttpRequestMessage(HttpMethod.Post, "/x")
        {
            Content = new FormUrlEncodedContent(
            [
                KeyValuePair.Create("name", "Ann"),
                KeyValuePair.Create("__RequestVerificationToken", await client.GetStringAsync("/token")),
            ]),
        },
        Before = "",
        After = "",
    };

    private static HttpRequestMessage Gzipped()
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Encoding.ASCII.GetBytes(_long));
        }

        var content = new ByteArrayContent(compressed.ToArray()) { Headers = { ContentEncoding = { "gzip" } } };
        return new HttpRequestMessage(HttpMethod.Post, "/x") { Content = content };
    }

    private static async Task<HttpRequestMessage> CertifiedAsync()
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("ann.example").Load();
        return await Post("/x", ("X-Client-Cert", Convert.ToBase64String(certificate.RawData)))(null!);
    }
}
