namespace Ha.Leadership;

/// <summary>A provider whose epoch the application's own fence may overtake.</summary>
internal interface IFencedLeader
{
    /// <summary>
    /// For a write that was refused with <see cref="NotLeaderException"/> under an unbroken lease: the application's fence
    /// may have been raised by somebody who is not of this cluster. Asks the application, at most once per heartbeat
    /// interval, and goes above what it says. Returns at once.
    /// </summary>
    /// <param name="epoch">What the write ran under.</param>
    void CheckFence(long epoch);
}
