using System.Buffers.Binary;
using System.Text;

namespace Ha.Heartbeat;

/// <summary>
/// Remembers texts that were checked before, so that the same ids and URLs in every heartbeat are neither checked nor
/// allocated again. Bounded: one text per slot, the latest stays. Thread-safe without a lock, because a slot is read and
/// written in one go.
/// </summary>
/// <param name="accepts">The check; asked once per text while it stays remembered.</param>
internal sealed class TextCache(Predicate<string> accepts)
{
    private const int Slots = 256;
    private readonly string?[] _texts = new string?[Slots];

    public bool TryGet(ReadOnlySpan<byte> utf8, out string text)
    {
        ref var slot = ref _texts[Slot(utf8)];
        var known = Volatile.Read(ref slot);
        if (known is not null && Ascii.Equals(utf8, known))
        {
            text = known;
            return true;
        }

        text = "";
        if (!Ascii.IsValid(utf8))
        {
            return false;
        }

        text = Encoding.ASCII.GetString(utf8);
        if (!accepts(text))
        {
            return false;
        }

        Volatile.Write(ref slot, text);
        return true;
    }

    // As FNV-1a, but eight bytes at a time: short inputs, no setup; collisions cost one allocation.
    private static int Slot(ReadOnlySpan<byte> utf8)
    {
        var hash = 14695981039346656037ul ^ (uint)utf8.Length;
        for (; utf8.Length >= sizeof(ulong); utf8 = utf8[sizeof(ulong)..])
        {
            hash = (hash ^ BinaryPrimitives.ReadUInt64LittleEndian(utf8)) * 1099511628211ul;
            hash ^= hash >> 32;
        }

        foreach (var b in utf8)
        {
            hash = (hash ^ b) * 1099511628211ul;
        }

        return (int)((hash ^ (hash >> 32)) % Slots);
    }
}
