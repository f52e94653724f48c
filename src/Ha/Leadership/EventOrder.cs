using System.Collections.Concurrent;
using Ha.Election;

namespace Ha.Leadership;

/// <summary>
/// Tells what happened in the order in which it happened, one at a time and outside the core's lock. Steps of the core
/// end on several threads, and a log that has the return of a leader before its loss misleads. Thread-safe.
/// </summary>
internal sealed class EventOrder(Action<ElectionEvent> tell)
{
    /// <summary>A log that hangs must not fill the memory; the first events say why.</summary>
    private const int MaxWaiting = 1000;

    private readonly ConcurrentQueue<ElectionEvent> _waiting = new();
    private int _telling;

    /// <summary>Call it under the lock that orders the steps.</summary>
    public void AddNeedsLock(IReadOnlyList<ElectionEvent> events)
    {
        foreach (var e in events)
        {
            if (_waiting.Count < MaxWaiting)
            {
                _waiting.Enqueue(e);
            }
        }
    }

    /// <summary>
    /// Has it told on the pool: whoever waits for what the step sends, an answer or a vote, does not wait for a log, which may be slow,
    /// hang, or run for the first time.
    /// </summary>
    public void TellSoon()
    {
        if (!_waiting.IsEmpty)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static events => events.Tell(), this, preferLocal: false);
        }
    }

    /// <summary>Returns when all was told, or another thread is at it: that one looks again before it goes.</summary>
    public void Tell()
    {
        while (!_waiting.IsEmpty && Interlocked.Exchange(ref _telling, 1) == 0)
        {
            while (_waiting.TryDequeue(out var next))
            {
                tell(next);
            }

            // A full fence: what was added before another thread found this one at it must be seen by the look above.
            Interlocked.Exchange(ref _telling, 0);
        }
    }
}
