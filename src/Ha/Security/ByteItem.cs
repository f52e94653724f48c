using System.Buffers.Text;

namespace Ha.Security;

/// <summary>
/// Byte sequences of structured fields (RFC 9651 section 3.3.5), <c>:base64:</c>, in their one canonical form:
/// no white space, padded, no stray bits. So one value has one spelling.
/// </summary>
internal static class ByteItem
{
    public static int Length(int bytes) => Base64.GetMaxEncodedToUtf8Length(bytes) + 2;

    /// <param name="bytes">What to write.</param>
    /// <param name="text">Exactly <see cref="Length"/> of it.</param>
    public static void Write(ReadOnlySpan<byte> bytes, Span<char> text)
    {
        text[0] = ':';
        Convert.TryToBase64Chars(bytes, text[1..^1], out _);
        text[^1] = ':';
    }

    /// <summary>Reads at most <paramref name="bytes"/>.Length bytes; false for anything but the canonical form.</summary>
    public static bool TryRead(ReadOnlySpan<char> text, Span<byte> bytes, out int written)
    {
        written = 0;
        if (text.Length < 2 || text.Length > Length(bytes.Length) || text[0] != ':' || text[^1] != ':' ||
            !Convert.TryFromBase64Chars(text[1..^1], bytes, out written))
        {
            return false;
        }

        // The decoder skips white space and ignores stray bits; writing it again shows both.
        Span<char> canonical = stackalloc char[Length(HaKey.MaxSignatureBytes)];
        if (Length(written) > canonical.Length)
        {
            return false;
        }

        canonical = canonical[..Length(written)];
        Write(bytes[..written], canonical);
        return text.SequenceEqual(canonical);
    }
}
