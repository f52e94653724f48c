namespace Ha.EntityFrameworkCore;

/// <summary>What a write meets that runs neither in an admitted request nor as a leader's job.</summary>
public enum OutsideLeadership
{
    /// <summary>Runs under this node's leadership if it leads at that moment, and fails with a <see cref="NotLeaderException"/> if not.</summary>
    TakePart,

    /// <summary>
    /// Fails with an <see cref="InvalidOperationException"/> that says what to do. Not where this node leads without an election:
    /// with HA off, and on a static leader.
    /// </summary>
    Refuse,
}
