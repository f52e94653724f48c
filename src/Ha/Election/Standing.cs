namespace Ha.Election;

/// <summary>
/// Whether a node wants to lead, apart from whether it could. One that does not stand follows, votes and forwards as ever, and
/// others take it for a node that cannot lead. If it leads it hands over as soon as somebody can take over, and leads until then.
/// </summary>
internal sealed class Standing
{
    /// <summary>An operator said so, and nothing but the operator or the end of the process undoes it.</summary>
    public bool Paused { get; set; }

    /// <summary>In words, why the application is not healthy enough to lead; null: it is.</summary>
    public string? Trouble { get; set; }

    public bool Stands => !Paused && Trouble is null;

    /// <summary>Why leadership is given away; only while not <see cref="Stands"/>.</summary>
    public HandoffReason Reason => Paused ? HandoffReason.Paused : HandoffReason.Unhealthy;

    /// <summary>Follows "this node"; only while not <see cref="Stands"/>.</summary>
    public string Why => Paused ? "is paused" : $"does not stand: {Trouble}";
}
