using System.IO.Compression;
using System.Net.Http.Json;
using System.Text;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpLogging;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using static Ha.Tests.Forwarding.MiddlewareTrial;

namespace Ha.Tests.Forwarding;

/// <summary>Those that touch bodies, sessions and answers.</summary>
internal static partial class MiddlewareTrials
{
    // Shared between the nodes, as docs/forwarding.md asks.
    private static readonly EphemeralDataProtectionProvider _keys = new();

    private const string NotLeader = """{"error":"not leader","leader":"<leader>","epoch":1}""";

    private static readonly string _long = new('a', 20_000);

    private static IEnumerable<MiddlewareTrial> Bodies() =>
    [
        Antiforgery("with a valid token") with
        {
            Before = "503 (marked) not executed | at follower, at follower | logged",
            After = "200 Ann | at follower, at follower, at leader, ran leader",
        },
        Antiforgery("in redirect mode") with
        {
            Mode = ForwardMode.Redirect,
            Headers = ["Location"],
            Before = $"307 Location: <leader>/x {NotLeader} | at follower, at follower",
            After = $"307 Location: <leader>/x {NotLeader} | at follower, at follower",
        },
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
            Before = "200 2 | at follower, at leader, ran leader, at follower, at leader, ran leader",
            After = "200 2 | at follower, at leader, ran leader, at follower, at leader, ran leader",
        },
        new("UseResponseCompression", "either")
        {
            Services = services => services.AddResponseCompression(),
            Use = (app, _) => app.UseResponseCompression(),
            Endpoints = (app, node) => app.MapPost("/x", () => Ran(node, _long)),
            Request = Post("/x", ("Accept-Encoding", "gzip")),
            Headers = ["Content-Encoding", "Vary"],
            Before = "200 Content-Encoding: gzip Vary: Accept-Encoding aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... (20000) | "
                + "at follower, at leader, ran leader",
            After = "200 Content-Encoding: gzip Vary: Accept-Encoding aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... (20000) | "
                + "at follower, at leader, ran leader",
        },
        new("UseResponseCaching", "after")
        {
            Case = "of a write",
            Services = services => services.AddResponseCaching(),
            Use = (app, _) => app.UseResponseCaching(),
            Times = 2,
            Before = "200 leader {\"a\":1} | at follower, at leader, ran leader, at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader, at follower, at leader, ran leader",
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
            Before = "200 fresh | at follower, at leader, ran leader, at follower",
            After = "200 fresh | at follower, at leader, ran leader, at follower, at leader",
        },
        new("UseOutputCache", "after")
        {
            Services = services => services.AddOutputCache(),
            Use = (app, _) => app.UseOutputCache(),
            NeedsEndpoint = true,
            Endpoints = (app, node) => app.MapGet("/x", () => Ran(node, "fresh")).RequireLeader().CacheOutput(),
            Request = Get("/x"),
            Times = 2,
            Before = "200 fresh | at follower, at leader, ran leader, at follower",
            After = "200 fresh | at follower, at leader, ran leader, at follower, at leader",
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
            Before = "200 20000 chunked | at follower, at leader, ran leader",
            After = "200 20000 217 | at follower, at leader, ran leader",
        },
        new("UseHttpLogging", "either")
        {
            Services = services => services.AddHttpLogging(logging => logging.LoggingFields = HttpLoggingFields.All),
            Use = (app, _) => app.UseHttpLogging(),
            Before = "200 leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("UseW3CLogging", "either")
        {
            Services = services => services.AddW3CLogging(static _ => { }).AddOptions<W3CLoggerOptions>().Configure<TrialNode>(
                (logging, node) => logging.LogDirectory = Path.Combine(AppContext.BaseDirectory, "w3c", node.Id)),
            Use = (app, _) => app.UseW3CLogging(),
            Before = "200 leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("EnableBuffering", "either")
        {
            Use = (app, _) => app.Use((context, next) =>
            {
                context.Request.EnableBuffering();
                return next(context);
            }),
            Before = "200 leader {\"a\":1} | at follower, at leader, ran leader",
            After = "200 leader {\"a\":1} | at follower, at leader, ran leader",
        },
        new("Your own that reads the body", "after")
        {
            Use = (app, _) => app.Use(async (context, next) =>
            {
                context.Items["order"] = await context.Request.ReadFromJsonAsync<Dictionary<string, int>>();
                await next(context);
            }),
            Endpoints = (app, node) => app.MapPost("/x", (HttpContext context) => Ran(node, $"{context.Items["order"] is not null}")),
            Before = "503 (marked) not executed | at follower | logged",
            After = "200 True | at follower, at leader, ran leader",
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
}
