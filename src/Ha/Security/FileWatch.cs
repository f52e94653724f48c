namespace Ha.Security;

/// <summary>
/// Looks at files again and again. Neither events nor time stamps: Kubernetes swaps a symbolic link somewhere above the
/// file, and network file systems tell nothing. A change counts when two looks in a row show the same, so that nothing
/// is taken from a file that is being written.
/// </summary>
internal sealed class FileWatch
{
    /// <summary>Between two looks; a change is taken after one or two of them.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    private readonly IReadOnlyList<string> _paths;
    private readonly Action<SecretText[]> _changed;
    private readonly CancellationToken _stopping;
    private readonly ITimer _timer;
    private SecretText[] _last = [];
    private SecretText[] _reported = [];

    private FileWatch(IReadOnlyList<string> paths, TimeProvider clock, Action<SecretText[]> changed, CancellationToken stopping)
    {
        _paths = paths;
        _changed = changed;
        _stopping = stopping;
        _timer = clock.CreateTimer(static self => ((FileWatch)self!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        stopping.UnsafeRegister(static self => ((FileWatch)self!)._timer.Dispose(), this);
        _timer.Change(Period, Timeout.InfiniteTimeSpan);
    }

    /// <param name="paths">Without any nothing is watched.</param>
    /// <param name="clock">Gives the timer.</param>
    /// <param name="changed">
    /// Given what stands in the files, in their order. Called on a thread of the pool, never twice at once: soon after
    /// the start, since what was read before may be out of date, and after each change, also when a file vanishes.
    /// </param>
    /// <param name="stopping">Ends it.</param>
    public static void Start(IReadOnlyList<string> paths, TimeProvider clock, Action<SecretText[]> changed, CancellationToken stopping)
    {
        if (paths.Count > 0)
        {
            _ = new FileWatch(paths, clock, changed, stopping);
        }
    }

    private void Look()
    {
        try
        {
            SecretText[] now = [.. _paths.Select(SecretText.Read)];
            if (now.SequenceEqual(_last) && !now.SequenceEqual(_reported))
            {
                _reported = now;
                _changed(now);
            }

            _last = now;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A log of the application may throw; the next change must be seen all the same.
        }

        if (!_stopping.IsCancellationRequested)
        {
            _timer.Change(Period, Timeout.InfiniteTimeSpan);
        }
    }
}
