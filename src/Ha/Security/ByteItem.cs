namespace Ha.Security;

/// <summary>
/// Byte sequences of structured fields (RFC 9651 section 3.3.5), <c>:base64:</c>, in their one canonical form:
/// no white space, padded, no stray bits. So one value has one spelling.
/// </summary>
internal static class ByteItem
{
    /// <summary>Longer texts than that of the longest signature are refused unread.</summary>
    private const int MaxLength = 90;

    public static string Write(ReadOnlySpan<byte> bytes) => $":{Convert.ToBase64String(bytes)}:";

    /// <returns>Null for anything but the canonical form.</returns>
    public static byte[]? Read(ReadOnlySpan<char> text)
    {
        if (text.Length > MaxLength || text is not [':', .. var base64, ':'])
        {
            return null;
        }

        // The decoder skips white space and ignores stray bits; writing it again shows both.
        return KeyText.FromBase64(base64) is { } bytes && text.SequenceEqual(Write(bytes)) ? bytes : null;
    }
}
