using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding.Proxy;

/// <summary>A request body whose beginning was read already: first that, then the rest.</summary>
/// <param name="kept">The beginning.</param>
/// <param name="rest">Where the rest comes from; null: there is none.</param>
/// <param name="maxLength">Where the server's own limit would have ended the body; null: nowhere.</param>
internal sealed class ReplayStream(ReadOnlyMemory<byte> kept, Stream? rest, long? maxLength) : Stream
{
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position < kept.Length)
        {
            return FromKept(buffer.Span);
        }

        return rest is null ? 0 : Count(await rest.ReadAsync(buffer, cancellationToken));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // The server decides whether a body may be read in this way.
    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_position < kept.Length)
        {
            return FromKept(buffer.AsSpan(offset, count));
        }

        return rest is null ? 0 : Count(rest.Read(buffer, offset, count));
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private int FromKept(Span<byte> buffer)
    {
        var part = kept.Span[(int)_position..];
        part = part[..Math.Min(part.Length, buffer.Length)];
        part.CopyTo(buffer);
        return Count(part.Length);
    }

    private int Count(int read)
    {
        _position += read;
        return _position <= maxLength || maxLength is null
            ? read
            : throw new BadHttpRequestException("Request body too large.", StatusCodes.Status413PayloadTooLarge);
    }
}
