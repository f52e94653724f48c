namespace Ha.Http;

/// <summary>The header names of the contract, in one place. Compiled into the server and the client package.</summary>
internal static class HaHeaders
{
    /// <summary>Response: the leader's public URL; absent when none is known.</summary>
    public const string Leader = "X-Base-Leader";

    /// <summary>Response: the epoch this node knows of.</summary>
    public const string Epoch = "X-Base-Epoch";

    /// <summary>Response of <c>GET /_ha/leader</c> alone: the epoch, under the name that clients of base-ha read there.</summary>
    public const string Term = "X-Base-Term";

    /// <summary>Response: the id of the node that the client talked to.</summary>
    public const string Node = "X-Base-Node";

    /// <summary>Response, <c>1</c>: provably nothing was executed. Set through <c>NotExecutedMark</c> alone.</summary>
    public const string NotExecuted = "X-Base-Not-Executed";

    /// <summary>Request: the id of the node that forwarded it. A forwarded request is never forwarded again.</summary>
    public const string ForwardedBy = "X-Base-Forwarded-By";

    /// <summary>
    /// Response, between nodes, beside <see cref="NotExecuted"/>: a handler has refused, which it may do however often it is
    /// tried.
    /// </summary>
    public const string RefusedByHandler = "X-Base-Refused-By-Handler";

    /// <summary>
    /// Request, between nodes: the method as the client spelled it. <c>HttpClient</c> writes the well-known ones in capital
    /// letters only, while browsers send <c>patch</c> as the page says.
    /// </summary>
    public const string Method = "X-Base-Method";

    /// <summary>Request, <c>redirect</c> or <c>proxy</c>: what the client prefers, where the options let it choose.</summary>
    public const string Forward = "X-Base-Forward";

    /// <summary>Request: by it a node looks whether its own URL leads to it.</summary>
    public const string Probe = "X-Base-Probe";

    /// <summary>
    /// Response to a write: how far the data was after it, opaque. Request: what a read must see. See docs/consistency.md.
    /// </summary>
    public const string Position = "X-Base-Position";

    /// <summary>The cookie with the same.</summary>
    public const string PositionCookie = "base_position";

    /// <summary>
    /// A node id as it may stand in a header: everything outside the unreserved set is percent-encoded, so an id
    /// can neither break a list apart nor smuggle a control character.
    /// </summary>
    public static string EncodeId(string nodeId) => Uri.EscapeDataString(nodeId);
}
