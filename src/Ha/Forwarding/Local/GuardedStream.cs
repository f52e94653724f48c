using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Local;

/// <summary>The stream that a handler gets; asks <paramref name="guard"/> before anything of the answer leaves.</summary>
internal sealed class GuardedStream(AnswerGuard guard) : Stream
{
    private Stream _stream = null!;

    public GuardedStream Of(IHttpResponseBodyFeature inner)
    {
        _stream = inner.Stream;
        return this;
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => _stream.CanWrite;

    public override long Length => _stream.Length;

    public override long Position
    {
        get => _stream.Position;
        set => _stream.Position = value;
    }

    public override void Flush()
    {
        guard.BeforeFirstByte();
        _stream.Flush();
    }

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        guard.BeforeFirstByte();
        return _stream.FlushAsync(cancellationToken);
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        guard.BeforeFirstByte();
        _stream.Write(buffer, offset, count);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        guard.BeforeFirstByte();
        return _stream.WriteAsync(buffer, cancellationToken);
    }

    public override int Read(byte[] buffer, int offset, int count) => _stream.Read(buffer, offset, count);

    public override long Seek(long offset, SeekOrigin origin) => _stream.Seek(offset, origin);

    public override void SetLength(long value) => _stream.SetLength(value);
}
