using System.Net;

namespace Ha.Grpc.Client.Balancing;

/// <summary>
/// A request's body that is never sent with its beginning missing. When a server refuses a stream (GOAWAY, REFUSED_STREAM), the runtime
/// sends the request again by itself and asks for the body a second time. That of a unary call is then written anew. That of a stream
/// is what the caller will write from then on, without what it has written already: such a request must fail.
/// </summary>
internal sealed class WholeContent : HttpContent
{
    private readonly HttpContent _content;
    private bool _isRepeated;

    public WholeContent(HttpContent content)
    {
        _content = content;
        foreach (var (name, values) in content.Headers.NonValidated)
        {
            Headers.TryAddWithoutValidation(name, values);
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (!Interlocked.Exchange(ref _isRepeated, true))
        {
            await _content.CopyToAsync(stream, context, cancellationToken).ConfigureAwait(false);
            return;
        }

        var again = new Again(stream);
        await _content.CopyToAsync(again, context, cancellationToken).ConfigureAwait(false);
        again.RefuseEmpty();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _content.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>A second passage of the body. That of a unary call begins with its message, that of a stream with a flush.</summary>
    private sealed class Again(Stream to) : Stream
    {
        private bool _hasBegun;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void RefuseEmpty()
        {
            if (!_hasBegun)
            {
                throw new RefusedBodyException();
            }
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _hasBegun = true;
            return to.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken)
        {
            RefuseEmpty();
            return to.FlushAsync(cancellationToken);
        }

        public override void Flush() => to.Flush();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}

/// <summary>Nothing was executed: the runtime, and <see cref="OnePassage"/>, ask for a body again only if the first was refused.</summary>
internal sealed class RefusedBodyException()
    : IOException("The server refused the stream, and what was written to it cannot be written again.");
