using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>
/// The program behind the verb <c>echo-node</c>: a node with one gRPC method of its own, for tests that need processes
/// to kill. <c>/test.Echo/Say</c> answers with who did it, whether another node passed it on, and what came.
/// </summary>
internal static class EchoNode
{
    public const string Verb = "echo-node";

    private const int PrefixBytes = 5;

    public static int Run(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Ha", LogLevel.Information);
        builder.Services.AddHaGrpc();
        var app = builder.Build();
        app.MapHaGrpcHealth();
        app.MapPost("/test.Echo/Say", SayAsync);
        app.Run();
        return 0;
    }

    private static async Task SayAsync(HttpContext context)
    {
        using var received = new MemoryStream();
        await context.Request.Body.CopyToAsync(received, context.RequestAborted);
        var said = Encoding.UTF8.GetString(received.ToArray().AsSpan(PrefixBytes));
        var node = context.RequestServices.GetRequiredService<ILeaderProvider>().Current.NodeId;
        var way = context.Request.Headers.ContainsKey(HaHeaders.ForwardedBy) ? "forwarded" : "direct";

        var response = context.Response;
        response.ContentType = "application/grpc";
        response.Headers["echo-begin"] = node;
        if (said is not "fail")
        {
            var text = Encoding.UTF8.GetBytes($"{node} {way} {said}");
            await response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, (byte)text.Length }, context.RequestAborted);
            await response.Body.WriteAsync(text, context.RequestAborted);
        }
        else
        {
            await response.StartAsync(context.RequestAborted);
        }

        response.AppendTrailer("echo-end", node);
        response.AppendTrailer("grpc-message", said is "fail" ? "as asked" : "");
        response.AppendTrailer("grpc-status", said is "fail" ? "9" : "0");
    }
}
