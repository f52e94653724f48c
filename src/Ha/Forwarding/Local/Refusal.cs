using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding.Local;

/// <summary>What an exception says about the write: a handler's refusal may come wrapped in others.</summary>
internal static class Refusal
{
    /// <summary>
    /// The <see cref="NotLeaderException"/> or <see cref="OutcomeUnknownException"/> that <paramref name="thrown"/> is
    /// or wraps; the outermost counts. Null: it says nothing, and stays what it is.
    /// </summary>
    /// <remarks>
    /// Of several failures at once one that says "nothing was committed" cannot speak for the others. And a commit that
    /// was cancelled because the lease was lost may have reached the database all the same.
    /// </remarks>
    /// <param name="thrown">What came out of the handler.</param>
    /// <param name="context">Its request, which knows whether the lease was lost.</param>
    public static Exception? In(Exception thrown, HttpContext context) =>
        Find(thrown) ?? (WasCancelled(thrown) && context.Features.Get<IHaFeature>()?.LeaseLost.IsCancellationRequested == true
            ? new OutcomeUnknownException("The write was cancelled when the lease was lost.", thrown)
            : null);

    private static Exception? Find(Exception? thrown) => thrown switch
    {
        null => null,
        NotLeaderException or OutcomeUnknownException => thrown,
        AggregateException several => FindAmong(several),
        _ => Find(thrown.InnerException),
    };

    private static Exception? FindAmong(AggregateException several)
    {
        var found = several.InnerExceptions.Select(Find).ToList();
        return found.TrueForAll(refusal => refusal is NotLeaderException) ? found.FirstOrDefault()
            : found.TrueForAll(refusal => refusal is null) ? null
            : new OutcomeUnknownException("Parts of the write failed in different ways.", several);
    }

    private static bool WasCancelled(Exception? thrown) => thrown switch
    {
        null or AnswerBrokenOffException => false,
        OperationCanceledException => true,
        AggregateException several => several.InnerExceptions.Any(WasCancelled),
        _ => WasCancelled(thrown.InnerException),
    };
}
