using System.Diagnostics.CodeAnalysis;
using Ha.Http;
using Microsoft.AspNetCore.Mvc;

namespace Ha;

/// <summary>
/// Thrown by a handler it says: the write may have been committed, or not, and this node cannot tell (a commit whose
/// answer was lost). The middleware answers 502 with <c>"error": "outcome unknown"</c>, which nobody repeats without
/// an idempotency key.
/// </summary>
public sealed class OutcomeUnknownException : Exception
{
    private const string DefaultMessage = "The write may or may not have been executed.";

    /// <summary>With a message of its own.</summary>
    public OutcomeUnknownException()
        : base(DefaultMessage)
    {
    }

    /// <param name="message">For logs; clients do not see it.</param>
    /// <param name="innerException">What went wrong.</param>
    public OutcomeUnknownException(string? message, Exception? innerException = null)
        : base(message ?? DefaultMessage, innerException)
    {
    }

    /// <summary>
    /// The body that the middleware would send, status 502 and <c>"error": "outcome unknown"</c>, for a batch
    /// endpoint that answers per item with status 207.
    /// </summary>
    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Reads like its sister on NotLeaderException.")]
    public ProblemDetails ToProblemDetails() => Refusals.OutcomeUnknown.ToDetails();
}
