using System.Runtime.InteropServices;

namespace Ha.Leadership;

/// <summary>How a request to give leadership up was taken.</summary>
internal enum StepDownOutcome
{
    /// <summary>The handoff has begun; <see cref="StepDownResult.Successor"/> was chosen.</summary>
    Accepted,

    /// <summary>This node does not lead, so it has nothing to give.</summary>
    NotLeader,

    /// <summary>The named node, or any node when none was named, cannot lead now.</summary>
    NotEligible,

    /// <summary>A handoff is under way already.</summary>
    AlreadyRunning,
}

/// <param name="Outcome">Accepted or why not.</param>
/// <param name="Successor">With <see cref="StepDownOutcome.Accepted"/>: the id of the node that leads next.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct StepDownResult(StepDownOutcome Outcome, string? Successor = null);
