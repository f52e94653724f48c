using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Pipelines;

/// <summary>What applications write themselves and put anywhere.</summary>
internal static class OwnMiddleware
{
    public static Func<RequestDelegate, RequestDelegate> Of(StageKind kind) => kind switch
    {
        StageKind.SwapBody => static next => context => BodySwap.RunAsync(context, next),
        StageKind.ReadAndRewind => static next => context => ReadAndRewindAsync(context, next),
        StageKind.CatchAll => static next => context => CatchAllAsync(context, next),
        StageKind.LateHeader => static next => context => LateHeaderAsync(context, next),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, message: null),
    };

    private static async Task ReadAndRewindAsync(HttpContext context, RequestDelegate next)
    {
        context.Request.EnableBuffering();
        await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        context.Request.Body.Position = 0;
        await next(context);
    }

    private static async Task CatchAllAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (Exception thrown) when (thrown is not (NotLeaderException or OutcomeUnknownException) && !context.Response.HasStarted)
        {
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            await context.Response.WriteAsync("caught by the application");
        }
    }

    private static Task LateHeaderAsync(HttpContext context, RequestDelegate next)
    {
        context.Response.OnStarting(
            static state =>
            {
                ((HttpContext)state).Response.Headers["X-Late"] = "yes";
                return Task.CompletedTask;
            },
            context);
        return next(context);
    }
}
