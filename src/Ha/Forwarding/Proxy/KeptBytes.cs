using System.Buffers;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// The beginning of a body, in a rented buffer; nothing any more once the body turned out larger than <see cref="Limit"/>.
/// </summary>
/// <param name="stated">The body's length, where it is known.</param>
internal sealed class KeptBytes(long? stated) : IDisposable
{
    /// <summary>Bytes kept per request.</summary>
    public const int Limit = 64 * 1024;

    private const int FirstRent = 4 * 1024;

    private byte[] _bytes = [];

    public int Length { get; private set; }

    public bool Overflowed { get; private set; }

    public ReadOnlyMemory<byte> From(int position) => _bytes.AsMemory(position, Length - position);

    public void Add(in ReadOnlySequence<byte> more)
    {
        if (Overflowed)
        {
            return;
        }

        if (stated > Limit || Length + more.Length > Limit)
        {
            Overflowed = true;
            Dispose();
            return;
        }

        Reserve(Length + (int)more.Length);
        more.CopyTo(_bytes.AsSpan(Length));
        Length += (int)more.Length;
    }

    public void Dispose()
    {
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = [];
            Length = 0;
        }
    }

    private void Reserve(int size)
    {
        if (size <= _bytes.Length)
        {
            return;
        }

        var wanted = (int)(stated ?? Math.Max(Math.Max(FirstRent, size), 2 * _bytes.Length));
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, size));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        _bytes = larger;
    }
}
