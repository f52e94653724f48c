using Grpc.Core;

namespace Ha.Grpc.Client.Repeating;

/// <summary>One attempt of a call with one answer.</summary>
internal sealed record SingleAttempt<TResponse>(
    Task<TResponse> Response, Func<Task<Metadata>> Headers, Func<Status> Status, Func<Metadata> Trailers, Action End);

/// <summary>A call with one answer, unary or after a stream of the client's, over all of its attempts.</summary>
internal sealed class SingleAnswer<TResponse>
{
    private readonly CancellationTokenSource _disposed = new();
    private readonly CallRepeats _repeats;
    private readonly Func<Task<SingleAttempt<TResponse>?>> _next;
    private readonly Action? _settled;
    private volatile SingleAttempt<TResponse> _attempt;
    private RpcException? _told;

    /// <param name="repeats">Decides.</param>
    /// <param name="first">Under way already.</param>
    /// <param name="next">Starts another attempt; null when what it needs is not kept.</param>
    /// <param name="settled">Called when there will be no other attempt.</param>
    public SingleAnswer(
        CallRepeats repeats, SingleAttempt<TResponse> first, Func<Task<SingleAttempt<TResponse>?>> next, Action? settled = null)
    {
        (_repeats, _attempt, _next, _settled) = (repeats, first, next, settled);
        Response = RunAsync();
    }

    public Task<TResponse> Response { get; }

    public Status Status => _told?.Status ?? _attempt.Status();

    public Metadata Trailers => _told?.Trailers ?? _attempt.Trailers();

    /// <summary>Of the last attempt, which is known as such when its answer is there.</summary>
    public async Task<Metadata> HeadersAsync()
    {
        await ((Task)Response).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            return await _attempt.Headers().ConfigureAwait(false);
        }
        catch (RpcException error)
        {
            throw _repeats.Told(error);
        }
    }

    public void Dispose()
    {
        _disposed.Cancel();
        _attempt.End();

        // A caller that disposes does not await.
        _ = Response.ContinueWith(static response => response.Exception, TaskContinuationOptions.OnlyOnFaulted);
    }

    private async Task<TResponse> RunAsync()
    {
        try
        {
            while (true)
            {
                try
                {
                    return await _attempt.Response.ConfigureAwait(false);
                }
                catch (RpcException error)
                {
                    await RepeatAsync(error).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _settled?.Invoke();
        }
    }

    private async Task RepeatAsync(RpcException error)
    {
        if (!_disposed.IsCancellationRequested && _repeats.PauseAfter(error) is { } pause)
        {
            await _repeats.WaitAsync(pause, _disposed.Token).ConfigureAwait(false);
            if (_disposed.IsCancellationRequested)
            {
                _told = _repeats.GivenUp(error);
                throw _told;
            }

            if (await NextAsync().ConfigureAwait(false) is { } attempt)
            {
                _attempt.End();
                _attempt = attempt;
                if (_disposed.IsCancellationRequested)
                {
                    attempt.End();
                }

                return;
            }
        }

        _told = _repeats.Told(error);
        throw _told;
    }

    /// <returns>Null also when the channel has ended since.</returns>
    private async Task<SingleAttempt<TResponse>?> NextAsync()
    {
        try
        {
            return await _next().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }
}
