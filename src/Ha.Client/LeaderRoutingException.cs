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
public sealed class NodeReport
{
    internal NodeReport(Uri node, int attempts, string lastWord) => (Node, Attempts, LastWord) = (node, attempts, lastWord);

    /// <summary>The node's base URL.</summary>
    public Uri Node { get; }

    /// <summary>How often this call was sent there; 0 when it was avoided, or not asked for other reasons.</summary>
    public int Attempts { get; }

    /// <summary>The last answer or failure, for people; its wording may change.</summary>
    public string LastWord { get; }
}
