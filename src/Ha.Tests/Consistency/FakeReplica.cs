namespace Ha.Tests.Consistency;

/// <summary>Data whose progress the test makes, on the leader and on the node's replica. Thread-safe.</summary>
internal sealed class FakeReplica
{
    private readonly Lock _lock = new();
    private readonly List<(long Number, TaskCompletionSource Done)> _told = [];
    private long _written;
    private long _reached;
    private int _looks;
    private int _reads;

    public FakeReplica() => Consistency = new ReadConsistency(
        _ =>
        {
            Interlocked.Increment(ref _reads);
            return WrittenFails is { } failure ? throw failure : new ValueTask<long>(Interlocked.Read(ref _written));
        },
        async _ =>
        {
            Interlocked.Increment(ref _looks);
            if (Hangs is { } hang)
            {
                await hang.Task;
            }

            return ReachedFails is { } failure ? throw failure : Interlocked.Read(ref _reached);
        });

    public ReadConsistency Consistency { get; }

    /// <summary>How often the replica was asked.</summary>
    public int Looks => Volatile.Read(ref _looks);

    /// <summary>How often the leader's position was asked for.</summary>
    public int Reads => Volatile.Read(ref _reads);

    public Exception? WrittenFails { get; set; }

    public Exception? ReachedFails { get; set; }

    /// <summary>A look ends with this, whatever its token says.</summary>
    public TaskCompletionSource? Hangs { get; set; }

    /// <summary>Nothing polls: the replica tells of its progress.</summary>
    public FakeReplica Tells()
    {
        Consistency.WaitForProgress = async (number, stop) =>
        {
            var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                if (number <= Interlocked.Read(ref _reached))
                {
                    return;
                }

                _told.Add((number, told));
            }

            await told.Task.WaitAsync(stop);
        };
        return this;
    }

    /// <summary>The positions that the node asked to be told of, so far.</summary>
    public IReadOnlyList<long> Asked
    {
        get
        {
            lock (_lock)
            {
                return [.. _told.Select(told => told.Number)];
            }
        }
    }

    public void Write(long number) => Interlocked.Exchange(ref _written, number);

    public void Reach(long number)
    {
        lock (_lock)
        {
            Interlocked.Exchange(ref _reached, number);
            foreach (var (_, done) in _told.Where(told => told.Number <= number))
            {
                done.TrySetResult();
            }
        }
    }
}
