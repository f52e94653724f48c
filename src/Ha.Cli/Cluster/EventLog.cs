namespace Ha.Cli.Cluster;

/// <param name="At">Local time.</param>
/// <param name="Text">What happened, for people.</param>
/// <param name="Important">Leadership moved, or a node died.</param>
internal sealed record ClusterEvent(DateTimeOffset At, string Text, bool Important);

/// <summary>What happened, newest last. Thread-safe.</summary>
internal sealed class EventLog(TimeProvider clock)
{
    private const int Kept = 200;

    private readonly Queue<ClusterEvent> _events = new();

    /// <summary>Called for each event, in the order they were added.</summary>
    public Action<ClusterEvent>? OnAdded { get; set; }

    public void Add(string text, bool important = false)
    {
        var entry = new ClusterEvent(clock.GetLocalNow(), text, important);
        lock (_events)
        {
            _events.Enqueue(entry);
            if (_events.Count > Kept)
            {
                _events.Dequeue();
            }

            OnAdded?.Invoke(entry);
        }
    }

    public IReadOnlyList<ClusterEvent> Last(int count)
    {
        lock (_events)
        {
            return [.. _events.TakeLast(count)];
        }
    }
}
