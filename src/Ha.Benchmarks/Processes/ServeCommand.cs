using System.Globalization;
using Ha.Benchmarks.Load;
using Ha.Benchmarks.Micro;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Ha.Benchmarks.Processes;

/// <summary>
/// <c>serve KIND PORT</c>, started by the other commands: <c>bare</c> without the plugin, <c>redirect</c> with a bare 307
/// middleware in its place, <c>yarp</c> with YARP's forwarder in its place, <c>least</c> with the least that a proxy needs,
/// <c>ha</c> with it, configured by the environment. <c>Sockets__*</c> are options of Kestrel's transport.
/// </summary>
internal static class ServeCommand
{
    public const string Leader = "LEADER_URL";
    public const string Bind = "BIND_TO";

    public static async Task<int> RunAsync(string[] args)
    {
        var kind = args[0];
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls($"http://{builder.Configuration[Bind] ?? "127.0.0.1"}:{args[1]}");
        builder.Services.Configure<SocketTransportOptions>(builder.Configuration.GetSection("Sockets"));
        if (kind == "ha")
        {
            builder.Services.AddHa();
        }

        if (kind == "yarp")
        {
            builder.Services.AddHttpForwarder();
        }

        var app = builder.Build();
        if (kind == "redirect" && app.Configuration[Leader] is { } target)
        {
            app.Use(next => context => HttpMethods.IsGet(context.Request.Method) ? next(context) : RedirectAsync(context, target));
        }

        if (kind == "yarp" && app.Configuration[Leader] is { } leader)
        {
            app.Map("/{**path}", Neighbours.Yarp(leader, app.Services.GetRequiredService<IHttpForwarder>()));
        }

        if (kind == "least" && app.Configuration[Leader] is { } only)
        {
            app.MapPost("/{**path}", Neighbours.Least(only));
        }

        app.MapGet("/memory", MemoryReport.Now);
        app.MapGet("/garbage", GarbageLoad.MakeAsync);
        app.MapFallback(AnswerAsync);
        app.Lifetime.ApplicationStarted.Register(static () => Console.WriteLine("listening"));
        await app.RunAsync();
        return 0;
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            var reader = context.Request.BodyReader;
            while (true)
            {
                var result = await reader.ReadAsync();
                reader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    break;
                }
            }
        }

        await Handlers.AnswerAsync(context);
    }

    // What anybody would write in an afternoon, with the body that the plugin's answer has.
    private static Task RedirectAsync(HttpContext context, string target)
    {
        var response = context.Response;
        response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        response.Headers.Location = target + context.Request.Path + context.Request.QueryString;
        response.ContentType = "application/json";
        return response.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{{\"error\":\"not leader\",\"leader\":\"{target}\",\"epoch\":{0}}}"));
    }
}
