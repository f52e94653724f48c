using Grpc.Core;

namespace Ha.Grpc.Client.Repeating;

/// <summary>
/// What a client writes to a stream: passed on to the attempt that runs, and kept for the next one up to a limit. While all of it is kept,
/// a write that fails is no error: the answer of the call says whether there is another attempt, which gets it too.
/// </summary>
internal sealed class KeptRequests<TRequest> : IClientStreamWriter<TRequest>
    where TRequest : class
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Marshaller<TRequest> _marshaller;
    private readonly int _maxBytes;
    private readonly List<byte[]> _kept = [];
    private volatile bool _isKept = true;
    private IClientStreamWriter<TRequest> _attempt;
    private WriteOptions? _writeOptions;
    private int _keptBytes;
    private bool _isComplete;

    public KeptRequests(Marshaller<TRequest> marshaller, int maxBytes, IClientStreamWriter<TRequest> first) =>
        (_marshaller, _maxBytes, _attempt) = (marshaller, maxBytes, first);

    public WriteOptions? WriteOptions
    {
        get => _attempt.WriteOptions;
        set => _attempt.WriteOptions = _writeOptions = value;
    }

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            Keep(message);
            await _attempt.WriteAsync(message, cancellationToken);
        }
        catch (Exception error) when (IsToBeRepeated(error, cancellationToken))
        {
            // The call's answer tells.
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task CompleteAsync()
    {
        await _turn.WaitAsync();
        try
        {
            _isComplete = true;
            await _attempt.CompleteAsync();
        }
        catch (Exception error) when (IsToBeRepeated(error, CancellationToken.None))
        {
            // The call's answer tells.
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>There will be no other attempt.</summary>
    public void Forget() => _isKept = false;

    /// <summary>Starts another attempt and writes to it in the background, while its answer is awaited, what was written so far.</summary>
    /// <returns>Null: not all of it was kept.</returns>
    public async Task<TAttempt?> RepeatAsync<TAttempt>(Func<(TAttempt Attempt, IClientStreamWriter<TRequest> Requests)> start)
        where TAttempt : class
    {
        // The attempt before is over, so whoever has the turn does not keep it.
        await _turn.WaitAsync();
        if (!_isKept)
        {
            _turn.Release();
            return null;
        }

        TAttempt attempt;
        try
        {
            (attempt, _attempt) = start();
        }
        catch
        {
            _turn.Release();
            throw;
        }

        _ = WriteAgainAsync();
        return attempt;
    }

    private async Task WriteAgainAsync()
    {
        try
        {
            if (_writeOptions is not null)
            {
                _attempt.WriteOptions = _writeOptions;
            }

            foreach (var message in _kept)
            {
                await _attempt.WriteAsync(KeptMessage.Read(_marshaller, message));
            }

            if (_isComplete)
            {
                await _attempt.CompleteAsync();
            }
        }
        catch (Exception error) when (error is RpcException or InvalidOperationException or OperationCanceledException)
        {
            // The attempt's answer tells.
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>As bytes, since the caller may go on using the message.</summary>
    private void Keep(TRequest message)
    {
        if (!_isKept)
        {
            _kept.Clear();
            return;
        }

        var bytes = _maxBytes > 0 ? KeptMessage.Of(_marshaller, message) : [];
        if (_maxBytes == 0 || (_keptBytes += bytes.Length) > _maxBytes)
        {
            _isKept = false;
            _kept.Clear();
            return;
        }

        _kept.Add(bytes);
    }

    private bool IsToBeRepeated(Exception error, CancellationToken cancellationToken) =>
        _isKept && !cancellationToken.IsCancellationRequested
        && error is RpcException or InvalidOperationException or OperationCanceledException;
}
