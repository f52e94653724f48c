using Ha.Forwarding.Local;

namespace Microsoft.AspNetCore.Http;

/// <summary>For frameworks that make answers of their own of the exceptions that handlers throw.</summary>
public static class HaHttpContextExtensions
{
    /// <summary>
    /// Call it where such a framework catches an exception that a <see cref="Ha.NotLeaderException"/> or
    /// <see cref="Ha.OutcomeUnknownException"/> may be the reason of. The middleware then answers the request as if the exception
    /// had reached it, whatever answer is prepared from now on, unless that has begun by then or the plugin is off.
    /// </summary>
    /// <param name="context">The request whose handler threw.</param>
    /// <param name="thrown">What it threw.</param>
    /// <returns>
    /// What <paramref name="thrown"/> is or wraps of the two; null when it says nothing about the write, and nothing has changed.
    /// </returns>
    public static Exception? KeepRefusal(this HttpContext context, Exception thrown)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(thrown);
        var refusal = Refusal.In(thrown, context);
        if (refusal is not null)
        {
            CaughtRefusal.TryKeep(context, refusal);
        }

        return refusal;
    }
}
