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
    private readonly string? _leaderUrl;

    /// <summary>Names the leader by <see cref="LeaderUrl"/> and <see cref="Epoch"/>, where it is known.</summary>
    public NotLeaderException()
    {
    }

    /// <inheritdoc cref="NotLeaderException()"/>
    /// <param name="innerException">What revealed it, for example a fence that refused the epoch.</param>
    public NotLeaderException(Exception? innerException)
        : base(message: null, innerException)
    {
    }

    /// <summary>For logs: who leads.</summary>
    public override string Message => LeaderUrl is null
        ? "This node is not the leader and knows of none; nothing was committed."
        : $"This node is not the leader, {LeaderUrl} is; nothing was committed.";

    /// <value>
    /// The leader's base URL as clients reach it, http or https with nothing after host and port, as in
    /// <see cref="ILeaderProvider.RedirectTarget"/>; kept in lower case without a default port. Default null: none is known.
    /// So it is with any other text: what says that nothing was committed must not fail on its way.
    /// </value>
    public string? LeaderUrl
    {
        get => _leaderUrl;
        init => _leaderUrl = value is not null && TargetUrl.TryNormalise(value, out var normalised, out _) ? normalised : null;
    }

    /// <value>The epoch of the leader at <see cref="LeaderUrl"/>. Default null: it is not known.</value>
    public long? Epoch { get; init; }

    /// <summary>
    /// The body that the middleware would send, status 503 and <c>"error": "not leader"</c>, for a batch endpoint
    /// that answers per item with status 207. Shows <see cref="LeaderUrl"/> also where <c>BASE_PUBLIC_INFO</c> is off.
    /// </summary>
    public ProblemDetails ToProblemDetails() => Refusals.NotLeader(LeaderUrl, Epoch).ToDetails();
}
