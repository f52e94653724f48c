namespace Ha.Consistency;

/// <summary>
/// Reads the position after a write, one read at a time. Writes that end while one runs share the next: the one that runs may have looked
/// before they were committed. Thread-safe.
/// </summary>
/// <param name="read">The application's.</param>
/// <param name="patience">After so long the read's token fires, and those who wait for it go.</param>
/// <param name="clock">Measures that.</param>
/// <param name="failed">Told why there is no position.</param>
internal sealed class SharedRead(
    Func<CancellationToken, ValueTask<long>> read, TimeSpan patience, TimeProvider clock, Action<Exception> failed)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<long?>? _next;
    private bool _reading;

    /// <summary>A read that begins after this call.</summary>
    /// <param name="cancelled">Ends the wait, not the read.</param>
    /// <returns>Null: there was none in time.</returns>
    public async ValueTask<long?> ReadAsync(CancellationToken cancelled)
    {
        TaskCompletionSource<long?> mine;
        bool starts;
        lock (_lock)
        {
            mine = _next ??= new TaskCompletionSource<long?>(TaskCreationOptions.RunContinuationsAsynchronously);
            (starts, _reading) = (!_reading, true);
        }

        if (starts)
        {
            CleanFlow.Start(RunAsync);
        }

        try
        {
            return await mine.Task.WaitAsync(patience, clock, cancelled);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (TimeoutException late)
        {
            failed(late);
            return null;
        }
    }

    private async Task RunAsync()
    {
        while (TakeNext() is { } waiting)
        {
            long? number = null;
            try
            {
                using var limit = new CancellationTokenSource(patience, clock);
                number = ReadPosition.Checked(await read(limit.Token));
            }
            catch (Exception failure) when (failure is not OutOfMemoryException)
            {
                failed(failure);
            }

            waiting.SetResult(number);
        }
    }

    private TaskCompletionSource<long?>? TakeNext()
    {
        lock (_lock)
        {
            var next = _next;
            _next = null;
            _reading = next is not null;
            return next;
        }
    }
}
