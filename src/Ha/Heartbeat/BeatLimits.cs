namespace Ha.Heartbeat;

/// <summary>Bounds on what one heartbeat message may carry; anything beyond is refused as malformed.</summary>
internal static class BeatLimits
{
    /// <summary>Longest request and reply body.</summary>
    public const int MaxBodyBytes = 16 * 1024;

    /// <summary>Deepest JSON nesting; our own messages need three.</summary>
    public const int MaxDepth = 8;

    /// <summary>Longest node id, cluster id and digest.</summary>
    public const int MaxIdLength = 128;

    /// <summary>Longest duration: one day. Longer leases make no sense and would let a liar block a vote.</summary>
    public const long MaxDurationMicros = 24L * 60 * 60 * 1_000_000;

    /// <summary>Highest epoch, leaving room to count on while it still fits a double exactly.</summary>
    public const long MaxEpoch = (1L << 53) - (1L << 40);

    /// <summary>Highest sequence number and wall time: what every JSON library reads exactly.</summary>
    public const long MaxSafeInteger = (1L << 53) - 1;

    /// <summary>Highest number of members that one can reach.</summary>
    public const int MaxReach = 10_000;
}
