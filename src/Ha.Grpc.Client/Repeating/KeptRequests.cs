using Grpc.Core;

namespace Ha.Grpc.Client.Repeating;

/// <summary>The client's side of one attempt.</summary>
/// <param name="Writer">Of the attempt.</param>
/// <param name="Status">Throws <see cref="InvalidOperationException"/> while the attempt runs.</param>
/// <param name="End">Gives the attempt up.</param>
internal sealed record RequestStream<TRequest>(IClientStreamWriter<TRequest> Writer, Func<Status> Status, Action End);

/// <summary>
/// What a client writes to a stream: passed on to the attempt that runs, and kept for the next one up to a limit. While all of it is kept,
/// a write that fails because its attempt is over is no error: the answer of the call says whether there is another attempt, which gets it
/// too. A message that an attempt does not take although it goes on is the caller's to know.
/// </summary>
internal sealed class KeptRequests<TRequest>(
    CallRepeats repeats, Marshaller<TRequest> marshaller, int maxBytes, RequestStream<TRequest> first) : IClientStreamWriter<TRequest>
    where TRequest : class
{
    // A write may hear of a connection that broke before the call does.
    private const int StatusLooks = 50;
    private static readonly TimeSpan _betweenLooks = TimeSpan.FromMilliseconds(10);

    private readonly SemaphoreSlim _turn = new(1);
    private volatile List<byte[]>? _kept = [];
    private volatile RequestStream<TRequest> _attempt = first;
    private WriteOptions? _writeOptions;
    private int _keptBytes;
    private bool _isComplete;

    public WriteOptions? WriteOptions
    {
        get => _attempt.Writer.WriteOptions;
        set => _attempt.Writer.WriteOptions = _writeOptions = value;
    }

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_isComplete)
            {
                throw new InvalidOperationException("Request stream has already been completed.");
            }

            var isKept = Keep(message);
            try
            {
                await _attempt.Writer.WriteAsync(message, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                if (!cancellationToken.IsCancellationRequested && await IsOverAsync(error).ConfigureAwait(false))
                {
                    return;
                }

                if (isKept && _kept is { Count: > 0 } kept)
                {
                    kept.RemoveAt(kept.Count - 1);
                }

                throw Told(error);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task CompleteAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            _isComplete = true;
            await _attempt.Writer.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            if (!await IsOverAsync(error).ConfigureAwait(false))
            {
                throw Told(error);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>There will be no other attempt.</summary>
    public void Forget() => _kept = null;

    /// <summary>Starts another attempt and writes to it in the background, while its answer is awaited, what was written so far.</summary>
    /// <returns>Null: not all of it was kept.</returns>
    public async Task<TAttempt?> RepeatAsync<TAttempt>(Func<(TAttempt Attempt, RequestStream<TRequest> Requests)> start)
        where TAttempt : class
    {
        // The attempt before is over, so whoever has the turn does not keep it.
        await _turn.WaitAsync().ConfigureAwait(false);
        if (_kept is not { } kept)
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

        _ = WriteAgainAsync(_attempt, kept);
        return attempt;
    }

    private async Task WriteAgainAsync(RequestStream<TRequest> attempt, List<byte[]> kept)
    {
        try
        {
            if (_writeOptions is not null)
            {
                attempt.Writer.WriteOptions = _writeOptions;
            }

            foreach (var message in kept)
            {
                await attempt.Writer.WriteAsync(KeptMessage.Read(marshaller, message)).ConfigureAwait(false);
            }

            if (_isComplete)
            {
                await attempt.Writer.CompleteAsync().ConfigureAwait(false);
            }
        }
        catch (Exception error)
        {
            // The attempt's answer tells, unless it goes on without what it should have got.
            if (!await IsOverAsync(error, ended: true).ConfigureAwait(false))
            {
                attempt.End();
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>As bytes, since the caller may go on using the message.</summary>
    private bool Keep(TRequest message)
    {
        if (_kept is not { } kept)
        {
            return false;
        }

        var bytes = maxBytes > 0 ? KeptMessage.Of(marshaller, message) : [];
        if (maxBytes == 0 || (_keptBytes += bytes.Length) > maxBytes)
        {
            Forget();
            return false;
        }

        kept.Add(bytes);
        return true;
    }

    /// <param name="error">What a write to the attempt ended with.</param>
    /// <param name="ended">True: an attempt that the server has ended well counts too.</param>
    private async Task<bool> IsOverAsync(Exception error, bool ended = false)
    {
        for (var looks = 0; _kept is not null || ended; looks++)
        {
            if (Status() is { } status)
            {
                return ended || status.StatusCode != StatusCode.OK;
            }

            // A message that is too large comes to nobody's ears but ours.
            if (looks == StatusLooks || error is RpcException { StatusCode: StatusCode.ResourceExhausted })
            {
                return false;
            }

            await repeats.WaitAsync(_betweenLooks, CancellationToken.None).ConfigureAwait(false);
        }

        return false;
    }

    private Status? Status()
    {
        try
        {
            return _attempt.Status();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private Exception Told(Exception error) => error is RpcException failed ? repeats.Told(failed) : error;
}
