using Ha.Http;
using Microsoft.AspNetCore.Mvc;

namespace Ha;

/// <summary>
/// Thrown by a handler, from however deep inside, it says: this node may not write, and <em>nothing was
/// committed</em>. The middleware answers as if it had refused the request itself: 307 to the leader, or 503 that
/// other nodes and clients may repeat. Throwing it after a commit makes writes happen twice.
/// </summary>
public sealed class NotLeaderException : Exception
{
    /// <summary>No leader is known.</summary>
    public NotLeaderException()
        : this(leaderUrl: null)
    {
    }

    /// <summary>The leader is elsewhere.</summary>
    /// <param name="leaderUrl">The leader's URL as clients reach it, or null when none is known.</param>
    /// <param name="innerException">What revealed it, for example a fence that refused the epoch.</param>
    public NotLeaderException(string? leaderUrl, Exception? innerException = null)
        : base(
            leaderUrl is null
                ? "This node is not the leader and knows of none; nothing was committed."
                : $"This node is not the leader, {leaderUrl} is; nothing was committed.",
            innerException) =>
        LeaderUrl = leaderUrl;

    /// <summary>The leader's URL as clients reach it, or null when none is known.</summary>
    public string? LeaderUrl { get; }

    /// <summary>The epoch of the leader at <see cref="LeaderUrl"/>, or null when it is not known.</summary>
    public long? Epoch { get; init; }

    /// <summary>
    /// The body that the middleware would send, status 503 and <c>"error": "not leader"</c>, for a batch endpoint
    /// that answers per item with status 207. Shows <see cref="LeaderUrl"/> also where <c>BASE_PUBLIC_INFO</c> is off.
    /// </summary>
    public ProblemDetails ToProblemDetails() => Refusals.NotLeader(LeaderUrl, Epoch).ToDetails();
}
