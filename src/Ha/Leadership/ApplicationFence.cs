using Ha.Election;

namespace Ha.Leadership;

/// <summary>The fence in the application's own database, by way of <see cref="HaOptions.RaiseFence"/>. Thread-safe.</summary>
/// <param name="raise">Stores an epoch unless a higher one is there, and returns the highest that was stored before.</param>
/// <param name="patience">For one try.</param>
/// <param name="clock">Measures <paramref name="patience"/>.</param>
/// <param name="surroundings">Where the application's code runs.</param>
/// <param name="failed">Told why a try failed.</param>
/// <param name="stopping">Ends a try; that is no failure.</param>
internal sealed class ApplicationFence(
    Func<long, CancellationToken, ValueTask<long>> raise,
    TimeSpan patience,
    TimeProvider clock,
    Surroundings surroundings,
    Action<Exception> failed,
    CancellationToken stopping)
{
    /// <returns>The highest epoch stored before; null when that is not known. Does not throw.</returns>
    public async Task<long?> TryRaiseAsync(long epoch)
    {
        try
        {
            using var timeout = new CancellationTokenSource(patience, clock);
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);

            // On the pool: what the application does here may block, and this thread may be answering a member.
            var before = await surroundings.RunAsync(() => raise(epoch, attempt.Token).AsTask());
            return before < ElectionCore.MaxEpoch
                ? before
                : throw new InvalidOperationException(
                    $"The stored epoch {before} is too high: none of this cluster ever was {ElectionCore.MaxEpoch}.");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            if (!(stopping.IsCancellationRequested && e is (OperationCanceledException or ObjectDisposedException)))
            {
                failed(e);
            }

            return null;
        }
    }
}
