namespace Ha.Consistency;

/// <summary>
/// Reads the position after a write, one read at a time. Writes that end while one runs share the next: the one that runs may have looked
/// before they were committed. Thread-safe.
/// </summary>
/// <param name="read">The application's.</param>
/// <param name="clock">Measures <see cref="Patience"/> and <see cref="Limit"/>.</param>
/// <param name="failed">Told why there is no position.</param>
internal sealed class SharedRead(
    Func<CancellationToken, ValueTask<long>> read, TimeProvider clock, Action<Exception> failed)
{
    /// <summary>For so long an answer waits for its position. The first one of a new leader may have to connect and to log on.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After so long the read's token fires. Later than the answers go: a read that finds one of several servers gone has to get to the
    /// next, and one that begins anew would not.
    /// </summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

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
            return await mine.Task.WaitAsync(Patience, clock, cancelled);
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
                using var limit = new CancellationTokenSource(Limit, clock);
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
