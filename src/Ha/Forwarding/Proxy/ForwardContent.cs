using System.Net;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// The body of one attempt. Also attached to writes without a body: with no content at all the handler would repeat
/// them by itself (see <see cref="ForwardMessage.OnHeaderWritten"/>).
/// </summary>
/// <param name="body">The client's.</param>
/// <param name="http2">True: the handler reads the answer while it sends.</param>
internal sealed class ForwardContent(ReplayableBody body, bool http2) : HttpContent
{
    private readonly TaskCompletionSource? _over = http2 ? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;
    private Task _copying = Task.CompletedTask;
    private bool _started;

    /// <summary>True when the whole body went out, so nothing touches the request any more.</summary>
    public bool IsDone => _started && _copying.IsCompletedSuccessfully;

    /// <summary>
    /// Completes when nothing touches the request any more. The caller must have cancelled the attempt or seen it
    /// through; a copy that outlived the request would read from the connection's next one.
    /// </summary>
    public Task WhenIdleAsync()
    {
        _over?.TrySetResult();
        return _copying.IsCompleted ? Task.CompletedTask : Quietly(_copying);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // Once only: see ForwardMessage.OnHeaderWritten.
        _started = true;
        _copying = http2 ? CopyAsync(stream, cancellationToken) : body.CopyToAsync(stream, cancellationToken);
        return _copying;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = body.CanHaveBody ? body.Length ?? -1 : 0;
        return length >= 0;
    }

    // The handler cancels when the stream was reset, and then tells whichever it hears of first: that this has ended, or why the
    // stream has, which alone says whether the leader declared the request unprocessed. Over HTTP/1.1 it would wait for this.
    private async Task CopyAsync(Stream stream, CancellationToken cancellation)
    {
        try
        {
            await body.CopyToAsync(stream, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            await _over!.Task;
            throw;
        }
    }

    private static async Task Quietly(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
