namespace Ha.Election;

/// <summary>Not wanting to lead: paused by an operator, or held back by the application's health.</summary>
internal sealed partial class ElectionCore
{
    private long _yieldAt = Peer.Never;

    public Standing Standing { get; }

    public HandoffStart Pause(string? toNodeId, long now) => Standing.Pause(this, _config.NodeId, toNodeId, now);

    public void Resume(long now) => Standing.Resume(now);

    public void SetTrouble(string? trouble, long now) => Standing.SetTrouble(trouble, now);

    /// <summary>The others must know, and a vote that this node got for itself is theirs.</summary>
    private void StandingChanged(long now)
    {
        // Before time passes: a silent member that counts no more would make a leader of this candidate.
        if (Role == NodeRole.Candidate && !Standing.Stands)
        {
            CancelCampaign(now, Standing.Why);
        }

        if (_handoff.Phase is HandoffPhase.Preparing or HandoffPhase.Draining && Standing.MakesPointless(_handoff.Reason))
        {
            StayLeader("this node stands again");
        }

        RequestBeats();
        Advance(now, WallAt(now));
    }

    /// <summary>
    /// Tried again once an interval: a leader that does not stand is still better than none, and worse than any that does.
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
