using Ha.Configuration;
using Ha.Http;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding.Local;

/// <summary>
/// First in the pipeline where the application placed <c>UseHa()</c> itself: looks at what a part of it answered that
/// <c>UseHa()</c> does not stand before. There the <see cref="ExceptionCatchers"/> keep a refusal too, and nobody would
/// answer it: an empty 200 from MVC would confirm a write that was refused. And a write that succeeded there ran on any node.
/// </summary>
internal sealed class UnseenAnswer(RequestDelegate next, HaSettings settings, ForwardingReports reports)
{
    // Not async itself, so that a quick answer costs nothing.
    public Task InvokeAsync(HttpContext context)
    {
        var running = next(context);
        if (!running.IsCompletedSuccessfully || CaughtRefusal.IsKept(context))
        {
            return AwaitAsync(context, running);
        }

        ReportUnseenWrite(context);
        return running;
    }

    private async Task AwaitAsync(HttpContext context, Task running)
    {
        await running;
        if (!CaughtRefusal.IsKept(context))
        {
            ReportUnseenWrite(context);
            return;
        }

        var problem = CaughtRefusal.Take(context) is NotLeaderException lost
            ? Refusals.NotLeader(settings.PublicInfo ? lost.LeaderUrl : null, lost.Epoch)
            : Refusals.OutcomeUnknown;
        await problem.WriteAsync(context, mark: settings.PublicInfo);
    }

    private void ReportUnseenWrite(HttpContext context)
    {
        var request = context.Request;
        if (WriteMethods.Contains(request.Method) && context.Response.StatusCode is >= 200 and < 300 && SeenMark.IsMissing(context)
            && PathChoice.Of(context) != NodeChoice.AnyNode)
        {
            reports.Unseen(request.Method, request.Path, context.Response.StatusCode);
        }
    }
}
