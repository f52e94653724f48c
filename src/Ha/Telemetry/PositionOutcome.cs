namespace Ha.Telemetry;

/// <summary>What became of a position.</summary>
internal enum PositionOutcome
{
    /// <summary>An answer to a write took it along.</summary>
    Issued,

    /// <summary>It could not be read or not be signed: the answer left without.</summary>
    Unread,

    /// <summary>A request's was ignored: it is none.</summary>
    Malformed,

    /// <summary>A request's was ignored: no key of this node has its id.</summary>
    UnknownKey,

    /// <summary>A request's was ignored: its signature is wrong.</summary>
    BadSignature,
}
