using Ha.Election;

namespace Ha.Leases;

/// <summary>Not wanting to lead: paused by an operator, or held back by the application's health.</summary>
internal sealed partial class LeaseCore
{
    private long _yieldAt = Peer.Never;

    public Standing Standing { get; } = new();

    public HandoffStart Pause(string? toNodeId, long now)
    {
        var start = BeginHandoff(toNodeId, HandoffReason.Paused, now);
        if (start.Result == HandoffResult.NotEligible && !Standing.Paused)
        {
            return start;
        }

        if (!Standing.Paused)
        {
            Standing.Paused = true;
            Report(ElectionEventKind.Paused, null, Epoch, "asked to");
            StandingChanged(now);
        }

        var leader = Role == NodeRole.Leader && start.Result == HandoffResult.NotEligible ? _config.NodeId : LeaderSeenAt(now)?.Id;
        return new HandoffStart(HandoffResult.Accepted, start.Successor ?? leader);
    }

    public void Resume(long now)
    {
        if (Standing.Paused)
        {
            Standing.Paused = false;
            Report(ElectionEventKind.Resumed, null, Epoch, "asked to");
            StandingChanged(now);
        }
    }

    public void SetTrouble(string? trouble, long now)
    {
        var before = Standing.Trouble;
        Standing.Trouble = trouble;
        if (before is null != trouble is null)
        {
            var kind = trouble is null ? ElectionEventKind.Recovered : ElectionEventKind.Unhealthy;
            Report(kind, null, Epoch, trouble ?? "its health checks pass");
            StandingChanged(now);
        }
    }

    private void StandingChanged(long now)
    {
        if (Role == NodeRole.Candidate && !Standing.Stands)
        {
            BecomeFollower();
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
