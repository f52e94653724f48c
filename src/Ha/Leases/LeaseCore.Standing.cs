using Ha.Election;

namespace Ha.Leases;

/// <summary>Not wanting to lead: paused by an operator, or held back by the application's health.</summary>
internal sealed partial class LeaseCore
{
    private long _yieldAt = Peer.Never;

    public Standing Standing { get; }

    public HandoffStart Pause(string? toNodeId, long now) => Standing.Pause(this, _config.NodeId, toNodeId, now);

    public void Resume(long now) => Standing.Resume(now);

    public void SetTrouble(string? trouble, long now) => Standing.SetTrouble(trouble, now);

    private void StandingChanged(long now)
    {
        if (Role == NodeRole.Candidate && !Standing.Stands)
        {
            BecomeFollower();
        }

        if (_handoff.Phase == HandoffPhase.Draining && Standing.MakesPointless(_handoff.Reason))
        {
            StayLeader("this node stands again");
        }

        AskSoon(now);
    }

    /// <summary>
    /// Tried again once an interval: a leader that does not stand is still better than none. Where nobody knows who else is there
    /// it lets go all the same.
    /// </summary>
    private void ConsiderYielding(long now)
    {
        if (now >= _yieldAt)
        {
            _yieldAt = now + _config.IntervalMicros;
            Begin(null, Standing.Reason, now);
        }
    }
}
