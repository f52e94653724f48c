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
    private long _written;
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
        var copy = new Copy(this, stream, needed: _isRepeated ? Interlocked.Read(ref _written) : 0);
        _isRepeated = true;
        await _content.CopyToAsync(copy, context, cancellationToken);
        copy.End();
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

    /// <summary>One passage of the body.</summary>
    /// <param name="whole">Counts what was written in all of them.</param>
    /// <param name="to">The connection.</param>
    /// <param name="needed">Bytes that were written before and must come again.</param>
    private sealed class Copy(WholeContent whole, Stream to, long needed) : Stream
    {
        private long _bytes;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void End()
        {
            if (_bytes < needed)
            {
                throw new IOException("The server refused the stream, and what was written to it cannot be written again.");
            }
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _bytes += buffer.Length;
            Interlocked.Add(ref whole._written, buffer.Length);
            return to.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        /// <summary>The body of a stream begins with this, that of a unary call with its message.</summary>
        public override Task FlushAsync(CancellationToken cancellationToken)
        {
            if (_bytes == 0)
            {
                End();
            }

            return to.FlushAsync(cancellationToken);
        }

        public override void Flush() => to.Flush();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
