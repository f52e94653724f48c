namespace Ha.Forwarding.Proxy;

/// <summary>How one attempt to forward ended.</summary>
internal enum ForwardResult
{
    /// <summary>The client has the leader's answer.</summary>
    Answered,

    /// <summary>The client has a part of the leader's answer, and its connection was aborted.</summary>
    BrokenOff,

    /// <summary>No connection to the leader came about: nothing was executed.</summary>
    Unreachable,

    /// <summary>The leader said so: nothing was executed.</summary>
    NotExecuted,

    /// <summary>The leader's handler said so: nothing was executed.</summary>
    RefusedByHandler,

    /// <summary>A gRPC call, and the leader's listener does not take HTTP/2: nothing was executed.</summary>
    NoHttp2,

    /// <summary>The connection broke, or the leader was given up, after bytes may have been sent.</summary>
    OutcomeUnknown,

    /// <summary>The client's body broke the protocol or a limit; see <see cref="ReplayableBody.ClientFault"/>.</summary>
    ClientFault,
}
