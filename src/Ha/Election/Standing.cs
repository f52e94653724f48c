namespace Ha.Election;

/// <summary>
/// Whether a node wants to lead, apart from whether it could: an operator may have paused it, or its application's health hold it
/// back. One that does not stand follows, votes and forwards as ever, and others take it for a node that cannot lead. If it leads it
/// hands over as soon as somebody can take over, and leads until then.
/// </summary>
/// <param name="report">Told what has changed, and why.</param>
/// <param name="changed">Lets the core draw its conclusions, at the time given.</param>
internal sealed class Standing(Action<ElectionEventKind, string> report, Action<long> changed)
{
    /// <summary>An operator said so, and nothing but the operator or the end of the process undoes it.</summary>
    public bool Paused { get; private set; }

    /// <summary>In words, why the application is not healthy enough to lead; null: it is.</summary>
    public string? Trouble { get; private set; }

    public bool Stands => !Paused && Trouble is null;

    /// <summary>Why leadership is given away; only while not <see cref="Stands"/>.</summary>
    public HandoffReason Reason => Paused ? HandoffReason.Paused : HandoffReason.Unhealthy;

    /// <summary>True for a handoff that began because this node did not stand, now that it does.</summary>
    public bool MakesPointless(HandoffReason handoff) => Stands && handoff is HandoffReason.Paused or HandoffReason.Unhealthy;

    /// <summary>Follows "this node"; only while not <see cref="Stands"/>.</summary>
    public string Why => Paused ? "is paused" : $"does not stand: {Trouble}";

    /// <summary>As <see cref="ILeadershipCore.Pause"/> says.</summary>
    /// <param name="core">Whose standing this is.</param>
    /// <param name="nodeId">Its node.</param>
    /// <param name="toNodeId">Who is to lead next; null: the best.</param>
    /// <param name="now">As of the core.</param>
    public HandoffStart Pause(ILeadershipCore core, string nodeId, string? toNodeId, long now)
    {
        var start = core.BeginHandoff(toNodeId, HandoffReason.Paused, now);
        var goesElsewhere = start.Result == HandoffResult.AlreadyRunning && toNodeId is not null && toNodeId != start.Successor;
        if (!Paused && (start.Result == HandoffResult.NotEligible || goesElsewhere))
        {
            return start;
        }

        if (!Paused)
        {
            Paused = true;
            report(ElectionEventKind.Paused, "asked to");
            changed(now);
        }

        var leader = core.Role == NodeRole.Leader && start.Result == HandoffResult.NotEligible ? nodeId : core.LeaderSeenAt(now)?.Id;
        return new HandoffStart(HandoffResult.Accepted, start.Successor ?? leader);
    }

    public void Resume(long now)
    {
        if (Paused)
        {
            Paused = false;
            report(ElectionEventKind.Resumed, "asked to");
            changed(now);
        }
    }

    public void SetTrouble(string? trouble, long now)
    {
        var before = Trouble;
        Trouble = trouble;
        if (before is null != trouble is null)
        {
            report(trouble is null ? ElectionEventKind.Recovered : ElectionEventKind.Unhealthy, trouble ?? "its health checks pass");
            changed(now);
        }
    }
}
