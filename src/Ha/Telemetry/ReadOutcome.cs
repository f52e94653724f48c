namespace Ha.Telemetry;

/// <summary>What a read with a position met on this node.</summary>
internal enum ReadOutcome
{
    /// <summary>Served here, at once or after a wait: the node's replica had reached it.</summary>
    Reached,

    /// <summary>Run on the leader: this node, or the one that it went to.</summary>
    Leader,

    /// <summary>Answered 503: this node leads, and has been followed by another.</summary>
    Refused,

    /// <summary>Its client left.</summary>
    Cancelled,
}
