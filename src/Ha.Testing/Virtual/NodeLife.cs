namespace Ha.Testing.Virtual;

/// <summary>One process's life, from its start to its end: it runs, is stopped for a while, is dead. Thread-safe.</summary>
internal sealed class NodeLife(VirtualTime time)
{
    private readonly Lock _lock = new();
    private readonly Queue<Action> _held = new();
    private bool _paused;
    private volatile bool _dead;

    public bool IsDead => _dead;

    public bool IsPaused
    {
        get
        {
            lock (_lock)
            {
                return _paused;
            }
        }
    }

    /// <returns>True: it does not happen now, and never unless the process wakes up.</returns>
    public bool Holds(Action happen)
    {
        lock (_lock)
        {
            if (_paused && !_dead)
            {
                _held.Enqueue(happen);
            }

            return _paused || _dead;
        }
    }

    public void Pause()
    {
        lock (_lock)
        {
            _paused = true;
        }
    }

    /// <summary>What was due meanwhile happens now, in its order.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            _paused = false;
            while (_held.TryDequeue(out var happen))
            {
                time.Plan(TimeSpan.Zero, this, happen);
            }
        }
    }

    public void End()
    {
        lock (_lock)
        {
            _dead = true;
            _held.Clear();
        }
    }
}
