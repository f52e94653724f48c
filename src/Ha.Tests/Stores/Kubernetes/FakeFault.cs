using System.Net;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>What happens to one request instead of what should. Calls <c>serve</c> if the request is to be executed.</summary>
internal delegate Task FakeFault(HttpContext context, Func<Task> serve);

internal static class FakeFaults
{
    /// <summary>A Status of the server with this code.</summary>
    public static FakeFault Answer(HttpStatusCode code, string? retryAfter = null) => async (context, _) =>
    {
        if (retryAfter is not null)
        {
            context.Response.Headers.RetryAfter = retryAfter;
        }

        await FakeStatus.Write(context, code, $"fault {(int)code}");
    };

    /// <summary>Nothing is executed and nothing answered.</summary>
    public static FakeFault Hang => (context, _) => FakeFaults.UntilGone(context);

    /// <summary>It is executed, and the answer is lost on its way.</summary>
    public static FakeFault ExecuteAndHang => async (context, serve) =>
    {
        var (body, lost) = (context.Response.Body, new MemoryStream());
        context.Response.Body = lost;
        await serve();
        context.Response.Body = body;
        await UntilGone(context);
    };

    /// <summary>It is executed, and the answer stops in the middle of its body.</summary>
    public static FakeFault HangInBody => async (context, _) =>
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = 1000;
        await context.Response.WriteAsync("{");
        await context.Response.Body.FlushAsync();
        await UntilGone(context);
    };

    /// <summary>It arrives twice, as through a proxy that repeats it; the second answer is given.</summary>
    public static FakeFault Twice => async (context, serve) =>
    {
        context.Request.EnableBuffering();
        var body = context.Response.Body;
        context.Response.Body = Stream.Null;
        await serve();
        context.Request.Body.Position = 0;
        context.Response.Body = body;
        context.Response.Clear();
        await serve();
    };

    private static async Task UntilGone(HttpContext context)
    {
        var gone = new TaskCompletionSource();
        await using var registered = context.RequestAborted.Register(() => gone.TrySetResult());
        await gone.Task;
    }
}
