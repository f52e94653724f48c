using Ha.Leadership;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Forwarding;

/// <summary>
/// A <see cref="NotLeaderException"/> or <see cref="OutcomeUnknownException"/> that an exception handler between the
/// endpoint and the middleware got hold of first. It says nothing to the client; the middleware, which still runs
/// outside of it, finds the refusal here and answers.
/// </summary>
internal sealed class CaughtRefusal
{
    private CaughtRefusal(Exception exception) => Exception = exception;

    public Exception Exception { get; }

    public static bool IsRefusal(Exception exception) => exception is NotLeaderException or OutcomeUnknownException;

    /// <summary>Keeps <paramref name="exception"/> for the middleware, if it is one for it.</summary>
    public static bool TryKeep(HttpContext context, Exception exception)
    {
        // Without the middleware outside nobody would answer, and an empty 200 would confirm what was refused.
        if (context.Response.HasStarted || !IsRefusal(exception) || context.RequestServices?.GetService<HaNode>() is { Options.IsActive: false })
        {
            return false;
        }

        context.Features.Set(new CaughtRefusal(exception));
        return true;
    }

    /// <summary>Costs one feature lookup, and nothing where the answer has begun already.</summary>
    public static bool IsKept(HttpContext context) =>
        !context.Response.HasStarted && context.Features.Get<CaughtRefusal>() is not null;

    /// <summary>Takes out what was kept, or null.</summary>
    public static Exception? Take(HttpContext context)
    {
        var kept = context.Features.Get<CaughtRefusal>();
        if (kept is not null)
        {
            context.Features.Set<CaughtRefusal>(null);
        }

        return kept?.Exception;
    }
}
