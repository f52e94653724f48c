using System.Net;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// The body of one attempt. Also attached to writes without a body: with no content at all the handler would repeat
/// them by itself (see <see cref="ForwardMessage.OnHeaderWritten"/>).
/// </summary>
internal sealed class ForwardContent(ReplayableBody body) : HttpContent
{
    private Task _copying = Task.CompletedTask;
    private bool _started;

    /// <summary>True when the whole body went out, so nothing touches the request any more.</summary>
    public bool IsDone => _started && _copying.IsCompletedSuccessfully;

    /// <summary>
    /// Completes when nothing touches the request any more. The caller must have cancelled the attempt or seen it
    /// through; a copy that outlived the request would read from the connection's next one.
    /// </summary>
    public Task WhenIdleAsync() =>
        _copying.IsCompleted ? Task.CompletedTask : Quietly(_copying);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // Once only: see ForwardMessage.OnHeaderWritten.
        _started = true;
        _copying = body.CopyToAsync(stream, cancellationToken);
        return _copying;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = body.CanHaveBody ? body.Length ?? -1 : 0;
        return length >= 0;
    }

    private static async Task Quietly(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
