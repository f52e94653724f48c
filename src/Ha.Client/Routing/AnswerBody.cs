using System.Net;

namespace Ha.Client.Routing;

/// <summary>Looks into the body of a response, which is whole all the same to whoever reads it next.</summary>
internal static class AnswerBody
{
    private const int MaxBytes = 64 * 1024;

    // Enough for what is written at once; not much for who waits for the first piece of a stream.
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Has a short answer arrive to its end, so that one that breaks off fails here. One that is long, or takes its time, goes on as it
    /// comes, and what else it fails of is its reader's to see.
    /// </summary>
    /// <param name="response">An answer.</param>
    /// <param name="left">The time that the attempt has.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancellationToken">The caller's.</param>
    public static async Task ArriveAsync(HttpResponseMessage response, TimeSpan left, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (left <= TimeSpan.Zero || !IsOfOnePiece(response))
        {
            return;
        }

        using var enough = new CancellationTokenSource(left < _patience ? left : _patience, clock);
        await ReadAsync(response, enough.Token, cancellationToken).ConfigureAwait(false);
    }

    /// <param name="response">Gets another content, unless its own says that it is too long.</param>
    /// <param name="enough">Ends the wait, and leaves the rest to be read.</param>
    /// <param name="cancellationToken">Ends the reading for good.</param>
    /// <returns>The body; null when it is longer than 64 KB, was not there in time, or cannot be read.</returns>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpResponseMessage response, CancellationToken enough, CancellationToken cancellationToken)
    {
        var content = response.Content;
        if (content.Headers.ContentLength is > MaxBytes)
        {
            return null;
        }

        var stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var stop = new CancellationTokenSource();
        await using var link = cancellationToken.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), stop).ConfigureAwait(false);
        var buffer = new byte[(content.Headers.ContentLength ?? 2047) + 1];
        var count = 0;
        var read = Task.FromResult(0);
        while (count <= MaxBytes)
        {
            if (count == buffer.Length)
            {
                Array.Resize(ref buffer, Math.Min(4 * count, MaxBytes + 1));
            }

            read = stream.ReadAsync(buffer.AsMemory(count), stop.Token).AsTask();
            await ((Task)read.WaitAsync(enough)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!read.IsCompleted || (read.IsFaulted && !Failure.IsOfTransport(read.Exception.InnerException!, cancellationToken)))
            {
                break;
            }

            var more = await read.ConfigureAwait(false);
            if (more == 0)
            {
                var body = buffer.AsMemory(0, count);
                response.Content = WithHeadersOf(content, new ReadOnlyMemoryContent(body));
                content.Dispose();
                return body;
            }

            (count, read) = (count + more, Task.FromResult(0));
        }

        response.Content = new BegunContent(content, new BegunStream(buffer, count, read, stream, content, stop));
        return null;
    }

    // Not what has no body, is not HTTP any more, or may go on for as long as it likes.
    private static bool IsOfOnePiece(HttpResponseMessage response) =>
        response.StatusCode is not (HttpStatusCode.SwitchingProtocols or HttpStatusCode.NotModified) &&
        response.RequestMessage?.Method != HttpMethod.Head &&
        response.Content.Headers.ContentType?.MediaType is var type && type != "text/event-stream" &&
        type?.StartsWith("application/grpc", StringComparison.Ordinal) != true;

    private static HttpContent WithHeadersOf(HttpContent from, HttpContent to)
    {
        foreach (var (name, values) in from.Headers.NonValidated)
        {
            to.Headers.TryAddWithoutValidation(name, values);
        }

        return to;
    }

    private sealed class BegunContent : HttpContent
    {
        private readonly BegunStream _stream;
        private bool _isTaken;

        public BegunContent(HttpContent whole, BegunStream stream)
        {
            _stream = stream;
            WithHeadersOf(whole, this);
        }

        protected override Stream CreateContentReadStream(CancellationToken cancellationToken) => Take();

        protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(Take());

        protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken) => Take().CopyTo(stream);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
            Take().CopyToAsync(stream, cancellationToken);

        protected override bool TryComputeLength(out long length)
        {
            length = -1;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _stream.Dispose();
            }

            base.Dispose(disposing);
        }

        // As the transport's own content does: there would be nothing left for a second reader.
        private BegunStream Take()
        {
            if (_isTaken)
            {
                throw new InvalidOperationException("The body was read already, and is not kept.");
            }

            _isTaken = true;
            return _stream;
        }
    }
}
