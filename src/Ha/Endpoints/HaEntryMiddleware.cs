using Ha.Http;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>
/// First in the pipeline of an active node: answers <c>/_ha/*</c> itself, whatever the app does with routing,
/// authentication or fallbacks, and puts the leader into the headers of every response.
/// </summary>
/// <param name="next">The application.</param>
/// <param name="endpoints">Answers our own routes.</param>
/// <param name="headers">What every response tells.</param>
/// <param name="leaving">Fires when this process is on its way out: each answer is then the last on its connection, so
/// that clients, and nodes that forward, have found another one before the listener closes connections under them.</param>
internal sealed class HaEntryMiddleware(
    RequestDelegate next, HaEndpoints endpoints, LeaderHeaders headers, CancellationToken leaving)
{
    private static readonly PathString _prefix = new(HaRoutes.Root);

    private static readonly Func<object, Task> _sayClose = static response =>
    {
        ((HttpResponse)response).Headers.Connection = "close";
        return Task.CompletedTask;
    };

    public Task InvokeAsync(HttpContext context)
    {
        headers.Register(context);
        if (leaving.IsCancellationRequested)
        {
            CloseAfterwards(context);
        }

        var path = context.Request.Path;
        if (path.Value is { Length: >= 4 } text && text[1] == '_'
            && path.StartsWithSegments(_prefix, StringComparison.OrdinalIgnoreCase, out var route))
        {
            return endpoints.HandleAsync(context, route);
        }

        // Nobody outside may speak for a node that refused a write.
        context.Request.Headers.Remove(HaHeaders.NotExecuted);

        var running = next.Start(context);
        return running.IsCompletedSuccessfully ? running : AwaitAsync(context, running);
    }

    // The server makes its own answer of an exception that nobody has handled, without any header of ours. So the same
    // answer is given before it sees the exception, which it then only logs. It closes the connection after that.
    private static async Task AwaitAsync(HttpContext context, Task running)
    {
        try
        {
            await running;
        }
        catch (AnswerBrokenOffException)
        {
            // The connection was aborted, which the client sees; there is nothing to report.
        }
        catch (Exception failure) when (!context.Response.HasStarted)
        {
            var response = context.Response;
            response.Clear();
            response.StatusCode = (failure as BadHttpRequestException)?.StatusCode ?? StatusCodes.Status500InternalServerError;
            response.ContentLength = 0;
            if (HasConnectionHeader(context))
            {
                response.Headers.Connection = "close";
            }

            await response.CompleteAsync();
            throw;
        }
    }

    // HTTP/2 has no such header but a frame that says the same (GOAWAY, RFC 9113 section 6.8).
    private static void CloseAfterwards(HttpContext context)
    {
        if (HasConnectionHeader(context))
        {
            // As late as possible: whoever gives an answer clears what stands there.
            context.Response.OnStarting(_sayClose, context.Response);
        }
        else
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
    }

    private static bool HasConnectionHeader(HttpContext context) =>
        HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol);
}
