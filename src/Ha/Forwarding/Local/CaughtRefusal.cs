using Ha.Leadership;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Forwarding.Local;

/// <summary>
/// A <see cref="NotLeaderException"/> or <see cref="OutcomeUnknownException"/> that an exception handler between the
/// endpoint and the middleware got hold of first. It says nothing to the client; the middleware, which still runs
/// outside of it, finds the refusal here and answers.
/// </summary>
internal sealed class CaughtRefusal
{
    // How many are kept in this process at this moment. Next to none ever are, and looking for a feature that is not
    // there costs each request more than anything else here.
    private static int _kept;

    private CaughtRefusal(Exception exception) => Exception = exception;

    public Exception Exception { get; }

    /// <summary>Keeps <paramref name="exception"/> for the middleware, if it is one for it.</summary>
    public static bool TryKeep(HttpContext context, Exception exception)
    {
        // Without the middleware outside nobody would answer, and an empty 200 would confirm what was refused.
        if (context.Response.HasStarted
            || Refusal.In(exception, context) is not { } refusal
            || context.RequestServices?.GetService<HaNode>() is { Settings.IsActive: false })
        {
            return false;
        }

        if (context.Features.Get<CaughtRefusal>() is null)
        {
            Interlocked.Increment(ref _kept);
        }

        context.Features.Set(new CaughtRefusal(refusal));
        return true;
    }

    /// <summary>False: no request of this process has one. Costs next to nothing.</summary>
    public static bool AnyKept => Volatile.Read(ref _kept) != 0;

    /// <summary>True when this request has one and its answer has not begun.</summary>
    public static bool IsKept(HttpContext context) =>
        AnyKept && !context.Response.HasStarted && context.Features.Get<CaughtRefusal>() is not null;

    /// <summary>Takes out what was kept, or null.</summary>
    public static Exception? Take(HttpContext context)
    {
        var kept = AnyKept ? context.Features.Get<CaughtRefusal>() : null;
        if (kept is not null)
        {
            Interlocked.Decrement(ref _kept);
            context.Features.Set<CaughtRefusal>(null);
        }

        return kept?.Exception;
    }
}
