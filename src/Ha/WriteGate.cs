namespace Ha;

/// <summary>
/// Counts the writes that run on this node. A writer enters first and reads the snapshot afterwards; whoever drains
/// publishes the closed snapshot first and reads the count afterwards. So either the writer sees the closed gate or
/// the drain sees the writer. Thread-safe.
/// </summary>
public sealed class WriteGate
{
    private long _inside;
    private TaskCompletionSource? _empty;

    /// <summary>How many are inside.</summary>
    public long Inside => Interlocked.Read(ref _inside);

    /// <summary>Enters; the caller must <see cref="Exit"/> exactly once, also when the snapshot then refuses it.</summary>
    public void Enter() => Interlocked.Increment(ref _inside);

    /// <summary>Leaves, once for each <see cref="Enter"/>.</summary>
    public void Exit()
    {
        if (Interlocked.Decrement(ref _inside) == 0)
        {
            Volatile.Read(ref _empty)?.TrySetResult();
        }
    }

    /// <summary>Completes when nobody is inside. Call it after the snapshot that admits no writes was published.</summary>
    public Task WhenEmptyAsync()
    {
        var empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _empty, empty);
        if (Inside == 0)
        {
            empty.TrySetResult();
        }

        return empty.Task;
    }
}
