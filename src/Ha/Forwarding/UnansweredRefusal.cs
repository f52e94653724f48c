using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding;

/// <summary>
/// First in the pipeline where the application placed <c>UseHa()</c> itself. In a part of it that <c>UseHa()</c> does not
/// stand before, the <see cref="ExceptionCatchers"/> keep a refusal too, and nobody would answer it: an empty 200 from
/// MVC would confirm a write that was refused.
/// </summary>
internal sealed class UnansweredRefusal(RequestDelegate next, HaOptions options)
{
    // Not async itself, so that a quick answer costs nothing.
    public Task InvokeAsync(HttpContext context)
    {
        var running = next(context);
        return running.IsCompletedSuccessfully && !CaughtRefusal.IsKept(context) ? running : AwaitAsync(context, running);
    }

    private async Task AwaitAsync(HttpContext context, Task running)
    {
        await running;
        if (!CaughtRefusal.IsKept(context))
        {
            return;
        }

        var problem = CaughtRefusal.Take(context) is NotLeaderException lost
            ? Refusals.NotLeader(options.PublicInfo ? lost.LeaderUrl : null, lost.Epoch)
            : Refusals.OutcomeUnknown;
        await problem.WriteAsync(context, mark: options.PublicInfo);
    }
}
