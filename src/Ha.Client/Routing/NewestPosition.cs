using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;

namespace Ha.Client.Routing;

/// <summary>
/// The newest position that an answer to a write has brought, whoever wrote: a position only makes a read fresher. A write that
/// was sent after the last position had come is the later one, whatever its position says: a cluster under a static leader, or
/// started anew, may count from lower numbers. Of writes that overlap, answers overtake each other, and the higher position is kept,
/// which version 1 of them tells: a byte of version, one of the length of a key's id, that id, and the epoch and the number, of 8
/// bytes each. Thread-safe.
/// </summary>
internal sealed class NewestPosition
{
    private const int MaxLength = 200;
    private const byte Version = 1;

    private readonly Lock _lock = new();
    private volatile string? _newest;

    public string? Newest => _newest;

    /// <param name="position">From the answer to a write.</param>
    /// <param name="before"><see cref="Newest"/> when that write was sent.</param>
    public void Take(string position, string? before)
    {
        if (position.Length is 0 or > MaxLength || position == _newest)
        {
            return;
        }

        lock (_lock)
        {
            if (ReferenceEquals(_newest, before) || _newest is not { } known ||
                !TryRead(known, out var old) || !TryRead(position, out var next) || next.CompareTo(old) > 0)
            {
                _newest = position;
            }
        }
    }

    /// <summary>The cluster counts from lower epochs again: nobody will ever have reached a position of a higher one.</summary>
    public void Forget(long above)
    {
        lock (_lock)
        {
            if (_newest is { } known && (!TryRead(known, out var read) || read.Epoch > (ulong)above))
            {
                _newest = null;
            }
        }
    }

    private static bool TryRead(string position, out (ulong Epoch, ulong Number) read)
    {
        read = default;
        Span<byte> bytes = stackalloc byte[MaxLength];
        if (Base64Url.DecodeFromChars(position, bytes, out _, out var length) != OperationStatus.Done ||
            length < 2 || bytes[0] != Version || length < 2 + bytes[1] + 16)
        {
            return false;
        }

        var numbers = bytes[(2 + bytes[1])..];
        read = (BinaryPrimitives.ReadUInt64BigEndian(numbers), BinaryPrimitives.ReadUInt64BigEndian(numbers[8..]));
        return true;
    }
}
