namespace Ha.Testing.Virtual;

/// <summary>Calls of the application's code that take real time, as of its fence; virtual time waits for them. Thread-safe.</summary>
internal sealed class ForeignCalls
{
    /// <summary>In real time: what waits for something that needs virtual time to pass would wait for ever.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly object _lock = new();
    private int _underWay;

    public bool Any
    {
        get
        {
            lock (_lock)
            {
                return _underWay > 0;
            }
        }
    }

    /// <param name="call">As it was begun.</param>
    /// <param name="plan">Plans what follows from its end, before it counts as ended.</param>
    public ValueTask<long> Follow(ValueTask<long> call, Action<Action> plan)
    {
        if (call.IsCompleted)
        {
            return call;
        }

        lock (_lock)
        {
            _underWay++;
        }

        var followed = new TaskCompletionSource<long>();
        _ = EndAsync();
        return new ValueTask<long>(followed.Task);

        async Task EndAsync()
        {
            var ended = call.AsTask();
            await ((Task)ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            plan(() => followed.TrySetFromTask(ended));
            lock (_lock)
            {
                _underWay--;
                Monitor.PulseAll(_lock);
            }
        }
    }

    /// <exception cref="TestClusterException">One does not end.</exception>
    public void Wait()
    {
        lock (_lock)
        {
            while (_underWay > 0)
            {
                if (!Monitor.Wait(_lock, _patience))
                {
                    throw new TestClusterException(
                        $"HaOptions.{nameof(HaOptions.RaiseFence)} has not returned for {_patience.TotalSeconds:0} s, and virtual time waits for it.");
                }
            }
        }
    }
}
