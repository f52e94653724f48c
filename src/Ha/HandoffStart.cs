namespace Ha;

/// <summary>How a request to give leadership up was taken.</summary>
public enum HandoffResult
{
    /// <summary>The handoff has begun; <see cref="HandoffStart.Successor"/> was chosen.</summary>
    Accepted,

    /// <summary>This node does not lead, so it has nothing to give.</summary>
    NotLeader,

    /// <summary>The named node, or any node when none was named, cannot lead now.</summary>
    NotEligible,

    /// <summary>A handoff is under way already.</summary>
    AlreadyRunning,

    /// <summary>This provider cannot do that.</summary>
    NotSupported,
}

/// <summary>The answer to a request to give leadership up.</summary>
/// <param name="Result">Whether the handoff began.</param>
/// <param name="Successor">Who is to lead next; null: whoever comes first, or nobody is there.</param>
public readonly record struct HandoffStart(HandoffResult Result, string? Successor = null);
