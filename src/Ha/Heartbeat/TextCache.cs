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

    // FNV-1a: short inputs, no setup; collisions cost one allocation.
    private static int Slot(ReadOnlySpan<byte> utf8)
    {
        var hash = 2166136261u;
        foreach (var b in utf8)
        {
            hash = (hash ^ b) * 16777619u;
        }

        return (int)((hash ^ (hash >> 16)) % Slots);
    }
}
