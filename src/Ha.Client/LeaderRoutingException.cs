using System.Net;

namespace Ha.Client;

/// <summary>
/// No node answered the call within its deadline, or its body could not be sent again. An ordinary
/// <see cref="HttpRequestException"/> for those who do not care why: the call was a read, or a write that was certainly not
/// executed, so whoever retries such exceptions may.
/// </summary>
public sealed class LeaderRoutingException : HttpRequestException
{
    internal LeaderRoutingException(string message, IReadOnlyList<NodeReport> nodes, HttpRequestError error, HttpStatusCode? status, Exception? inner)
        : base(error, message, inner, status) => Nodes = nodes;

    /// <summary>What each node said, in the order of the first contact; nodes that were not asked are listed last.</summary>
    public IReadOnlyList<NodeReport> Nodes { get; }
}

/// <summary>
/// A write may have been executed, and may not; only the server's data can tell. On purpose no
/// <see cref="HttpRequestException"/>: retry handlers take that for a failure after which to send the write again.
/// </summary>
public sealed class WriteOutcomeUnknownException : Exception
{
    internal WriteOutcomeUnknownException(string message, string? idempotencyKey, IReadOnlyList<NodeReport> nodes, Exception? inner)
        : base(message, inner) => (IdempotencyKey, Nodes) = (idempotencyKey, nodes);

    /// <summary>The usable <c>Idempotency-Key</c> that it was sent with, under which it may be sent again; else null.</summary>
    public string? IdempotencyKey { get; }

    /// <summary>What each node said, in the order of the first contact; nodes that were not asked are listed last.</summary>
    public IReadOnlyList<NodeReport> Nodes { get; }
}

/// <summary>What one node said during a call that failed.</summary>
public sealed class NodeReport
{
    internal NodeReport(Uri node, int attempts, string lastWord) => (Node, Attempts, LastWord) = (node, attempts, lastWord);

    /// <summary>The node's base URL; of a name with several addresses, the address.</summary>
    public Uri Node { get; }

    /// <summary>How often this call was sent there; 0 when it was avoided, or not asked for other reasons.</summary>
    public int Attempts { get; }

    /// <summary>The last answer or failure, for people; its wording may change.</summary>
    public string LastWord { get; }
}
