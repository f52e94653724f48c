using Grpc.Core;
using Ha.Grpc.Errors;

namespace Ha.Grpc.Client.Repeating;

/// <summary>One attempt of a call with a stream of answers.</summary>
internal sealed record StreamAttempt<TResponse>(
    IAsyncStreamReader<TResponse> Answers, Func<Task<Metadata>> Headers, Func<Status> Status, Func<Metadata> Trailers, Action End)
{
    /// <summary>Completes when another attempt has taken its place.</summary>
    public TaskCompletionSource Replaced { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>
/// A call with a stream of answers over all of its attempts. It is repeated until the caller has seen something of an answer: a message,
/// the end, or headers that are not those of a refusal.
/// </summary>
internal sealed class StreamedAnswer<TResponse> : IAsyncStreamReader<TResponse>
{
    private readonly CancellationTokenSource _disposed = new();
    private readonly Lock _lock = new();
    private readonly CallRepeats _repeats;
    private readonly Func<Task<StreamAttempt<TResponse>?>> _next;
    private readonly Action? _settled;
    private volatile StreamAttempt<TResponse> _attempt;
    private volatile bool _isSeen;
    private Task<bool>? _first;
    private bool _isRead;
    private bool _isReading;
    private RpcException? _told;

    /// <param name="repeats">Decides.</param>
    /// <param name="first">Under way already.</param>
    /// <param name="next">Starts another attempt; null when what it needs is not kept.</param>
    /// <param name="settled">Called when there will be no other attempt.</param>
    public StreamedAnswer(
        CallRepeats repeats, StreamAttempt<TResponse> first, Func<Task<StreamAttempt<TResponse>?>> next, Action? settled = null) =>
        (_repeats, _attempt, _next, _settled) = (repeats, first, next, settled);

    public TResponse Current => _attempt.Answers.Current;

    public Status Status => _told?.Status ?? _attempt.Status();

    public Metadata Trailers => _told?.Trailers ?? _attempt.Trailers();

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _isReading, true))
        {
            throw new InvalidOperationException("Can't read the next message because the previous read is in progress.");
        }

        try
        {
            if (_isRead)
            {
                return await _attempt.Answers.MoveNext(cancellationToken).ConfigureAwait(false);
            }

            var giveUp = cancellationToken.UnsafeRegister(static self => ((StreamedAnswer<TResponse>)self!).Dispose(), this);
            await using (giveUp.ConfigureAwait(false))
            {
                var more = await FirstAsync().ConfigureAwait(false);
                _isRead = true;
                return more;
            }
        }
        catch (RpcException error) when (_isRead)
        {
            _told = _repeats.Told(error);
            throw _told;
        }
        finally
        {
            Volatile.Write(ref _isReading, false);
        }
    }

    public async Task<Metadata> HeadersAsync()
    {
        var first = FirstAsync();
        while (true)
        {
            var attempt = _attempt;
            try
            {
                var headers = await attempt.Headers().ConfigureAwait(false);
                if (attempt == _attempt && (first.IsCompleted || RetriableMark.In(headers) is null))
                {
                    See();
                    return headers;
                }
            }
            catch (RpcException) when (attempt != _attempt || !first.IsCompleted)
            {
                // It was not the last attempt, or whether it was is being decided.
            }
            catch (RpcException error)
            {
                throw _repeats.Told(error);
            }

            await Task.WhenAny(first, attempt.Replaced.Task).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        _disposed.Cancel();
        _attempt.End();
    }

    /// <summary>Runs at once, whoever asks first: for the headers nobody need read.</summary>
    private Task<bool> FirstAsync()
    {
        lock (_lock)
        {
            if (_first is null)
            {
                _first = ReadFirstAsync();

                // Of a caller that wants the headers only, nobody awaits it.
                _ = _first.ContinueWith(static first => first.Exception, TaskContinuationOptions.OnlyOnFaulted);
            }

            return _first;
        }
    }

    private async Task<bool> ReadFirstAsync()
    {
        try
        {
            while (true)
            {
                try
                {
                    return await _attempt.Answers.MoveNext(CancellationToken.None).ConfigureAwait(false);
                }
                catch (RpcException error)
                {
                    await RepeatAsync(error).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            See();
        }
    }

    private void See()
    {
        _isSeen = true;
        _settled?.Invoke();
    }

    private async Task RepeatAsync(RpcException error)
    {
        if (!_isSeen && !_disposed.IsCancellationRequested && _repeats.PauseAfter(error) is { } pause)
        {
            await _repeats.WaitAsync(pause, _disposed.Token).ConfigureAwait(false);
            if (_disposed.IsCancellationRequested)
            {
                _told = _repeats.GivenUp(error);
                throw _told;
            }

            if (!_isSeen && await NextAsync().ConfigureAwait(false) is { } attempt)
            {
                var before = _attempt;
                _attempt = attempt;
                before.End();
                before.Replaced.TrySetResult();
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
    private async Task<StreamAttempt<TResponse>?> NextAsync()
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
