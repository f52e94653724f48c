using System.Collections.Concurrent;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>Which keys are at work on this node. Thread-safe.</summary>
internal sealed class RunningKeys(TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _running = new(StringComparer.Ordinal);

    /// <summary>Waits for its turn; the result ends it. Null: another still had it after <paramref name="patience"/>.</summary>
    public async Task<IDisposable?> EnterAsync(string id, TimeSpan patience, CancellationToken cancellationToken)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var began = clock.GetTimestamp();
        while (_running.GetOrAdd(id, mine) is var first && first != mine)
        {
            var left = patience - clock.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                return null;
            }

            try
            {
                await first.Task.WaitAsync(left, clock, cancellationToken);
            }
            catch (TimeoutException)
            {
                return null;
            }
        }

        return new Turn(_running, id, mine);
    }

    private sealed class Turn(ConcurrentDictionary<string, TaskCompletionSource> running, string id, TaskCompletionSource mine) : IDisposable
    {
        public void Dispose()
        {
            running.TryRemove(id, out _);
            mine.TrySetResult();
        }
    }
}
