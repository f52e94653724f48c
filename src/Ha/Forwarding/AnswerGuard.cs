using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding;

/// <summary>
/// Looks at the lease once more before the first byte of an answer leaves: a write that was committed after the
/// lease had run out must not be confirmed (docs/protocol.md, section 13).
/// </summary>
/// <remarks>
/// <para>
/// When the handler returns is too late: most answers have begun by then. <c>Response.OnStarting</c> comes at the
/// right moment but cannot change the answer any more, only break it, and an application that catches the failure
/// would turn it into a 500. Buffering the answer would break streaming. So the guard stands in the way of the first
/// byte: it lets it pass untouched, or throws <see cref="OutcomeUnknownException"/> into the handler, and goes on
/// throwing whatever inner error page tries to answer instead, until the middleware answers 502 itself.
/// </para>
/// <para>
/// Answers that claim no success pass. Once the answer has begun nothing is withheld: a stream that goes on
/// after the lease gets <see cref="IHaFeature.LeaseLost"/>.
/// </para>
/// </remarks>
internal sealed class AnswerGuard(HttpContext context, IHttpResponseBodyFeature inner, LeaderRun run) : IHttpResponseBodyFeature
{
    private const int FirstErrorStatus = 400;

    private bool _open;
    private bool _written;
    private GuardedWriter? _writer;
    private GuardedStream? _stream;

    /// <summary>True when an answer was withheld.</summary>
    public bool Tripped { get; private set; }

    /// <summary>
    /// True when bytes of the withheld answer wait in the server's buffer. They cannot be taken back, so nothing
    /// else can be said on this connection.
    /// </summary>
    public bool IsDirty => _written;

    public Stream Stream => _stream ??= new GuardedStream(this, inner.Stream);

    public PipeWriter Writer => _writer ??= new GuardedWriter(this, inner.Writer);

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        BeforeFirstByte();
        return inner.StartAsync(cancellationToken);
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        BeforeFirstByte();
        return inner.SendFileAsync(path, offset, count, cancellationToken);
    }

    public Task CompleteAsync()
    {
        BeforeFirstByte();
        return inner.CompleteAsync();
    }

    /// <summary>
    /// For a handler that has finished: null when its answer may leave, and then it passes unseen from now on.
    /// </summary>
    public OutcomeUnknownException? Refuses()
    {
        if (!_open && !context.Response.HasStarted && (Tripped || MustWithhold()))
        {
            Tripped = true;
            return new OutcomeUnknownException();
        }

        _open = true;
        return null;
    }

    /// <summary>Throws when the answer must not leave; free once it has begun.</summary>
    public void BeforeFirstByte()
    {
        if (_open)
        {
            return;
        }

        Check();
        _open = true;
        if (IsStream(context.Response.ContentType))
        {
            // A stream may last for hours; a handover does not wait for it, and it watches LeaseLost.
            run.LeaveGate();
        }
    }

    /// <summary>The handler fills the server's buffer: nothing leaves yet, but it cannot be unwritten.</summary>
    private void BeforeBuffering()
    {
        if (!_open && !_written)
        {
            Check();
            _written = true;
        }
    }

    private void Check()
    {
        if (Tripped || MustWithhold())
        {
            Tripped = true;
            throw new OutcomeUnknownException("The lease was lost before the answer was sent.");
        }
    }

    private bool MustWithhold() => context.Response.StatusCode < FirstErrorStatus && !run.StillLeads();

    private static bool IsStream(string? contentType) =>
        contentType is not null
        && (contentType.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase)
            || contentType.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase));

    private sealed class GuardedWriter(AnswerGuard guard, PipeWriter writer) : PipeWriter
    {
        public override bool CanGetUnflushedBytes => writer.CanGetUnflushedBytes;

        public override long UnflushedBytes => writer.UnflushedBytes;

        public override void Advance(int bytes) => writer.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0)
        {
            guard.BeforeBuffering();
            return writer.GetMemory(sizeHint);
        }

        public override Span<byte> GetSpan(int sizeHint = 0)
        {
            guard.BeforeBuffering();
            return writer.GetSpan(sizeHint);
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            guard.BeforeFirstByte();
            return writer.FlushAsync(cancellationToken);
        }

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            guard.BeforeFirstByte();
            return writer.WriteAsync(source, cancellationToken);
        }

        public override void CancelPendingFlush() => writer.CancelPendingFlush();

        public override void Complete(Exception? exception = null)
        {
            guard.BeforeFirstByte();
            writer.Complete(exception);
        }

        public override ValueTask CompleteAsync(Exception? exception = null)
        {
            guard.BeforeFirstByte();
            return writer.CompleteAsync(exception);
        }
    }

    private sealed class GuardedStream(AnswerGuard guard, Stream stream) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => stream.CanWrite;

        public override long Length => stream.Length;

        public override long Position
        {
            get => stream.Position;
            set => stream.Position = value;
        }

        public override void Flush()
        {
            guard.BeforeFirstByte();
            stream.Flush();
        }

        public override Task FlushAsync(CancellationToken cancellationToken)
        {
            guard.BeforeFirstByte();
            return stream.FlushAsync(cancellationToken);
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            guard.BeforeFirstByte();
            stream.Write(buffer, offset, count);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            guard.BeforeFirstByte();
            return stream.WriteAsync(buffer, cancellationToken);
        }

        public override int Read(byte[] buffer, int offset, int count) => stream.Read(buffer, offset, count);

        public override long Seek(long offset, SeekOrigin origin) => stream.Seek(offset, origin);

        public override void SetLength(long value) => stream.SetLength(value);
    }
}
