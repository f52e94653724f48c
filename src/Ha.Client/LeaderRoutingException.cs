using System.Net;

namespace Ha.Client;

/// <summary>
/// No node answered the call within its deadline, or it must not be sent again. An ordinary
/// <see cref="HttpRequestException"/> for those who do not care why.
/// </summary>
public sealed class LeaderRoutingException : HttpRequestException
{
    internal LeaderRoutingException(
        string message,
        bool outcomeUnknown,
        IReadOnlyList<NodeReport> nodes,
        HttpRequestError error = HttpRequestError.Unknown,
        HttpStatusCode? status = null,
        Exception? inner = null)
        : base(error, message, inner, status)
    {
        OutcomeUnknown = outcomeUnknown;
        Nodes = nodes;
    }

    /// <summary>
    /// True: a write may have been executed, and may not; only the server's data can tell. False: it was certainly
    /// not executed, or the call was a read.
    /// </summary>
    public bool OutcomeUnknown { get; }

    /// <summary>What each node said, in the order of the first contact; nodes that were not asked are listed last.</summary>
    public IReadOnlyList<NodeReport> Nodes { get; }
}

/// <summary>What one node said during a call that failed.</summary>
/// <param name="Node">The node's base URL.</param>
/// <param name="Attempts">How often this call was sent there; 0 when it was avoided.</param>
/// <param name="LastWord">The last answer or failure, for people; its wording may change.</param>
public sealed record NodeReport(Uri Node, int Attempts, string LastWord);
