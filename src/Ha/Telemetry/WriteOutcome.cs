namespace Ha.Telemetry;

/// <summary>What a write met on a node that is not the leader.</summary>
internal enum WriteOutcome
{
    /// <summary>Streamed to the leader; its answer, whatever it was, went back.</summary>
    Forwarded,

    /// <summary>Answered with 307.</summary>
    Redirected,

    /// <summary>Waited for a leader. Counted when the wait ends, beside the outcome that followed.</summary>
    Held,

    /// <summary>Answered 503 or 508, not executed.</summary>
    Refused,

    /// <summary>Answered 502: the connection to the leader broke, the write may have been executed.</summary>
    Unknown,
}
