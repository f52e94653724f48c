using System.Security.Cryptography;

namespace Ha.Security;

/// <summary>
/// Private keys as people write them: PEM, PEM whose line breaks an environment file turned into <c>\n</c> or spaces,
/// or only the base64 between a PEM's markers.
/// </summary>
internal static class KeyText
{
    /// <summary>How the labels of all private keys end; whatever else the text holds, such as curve parameters, is skipped.</summary>
    private const string Label = "PRIVATE KEY";

    /// <returns>The DER bytes, or null when the text is in none of these forms.</returns>
    public static byte[]? Decode(string text)
    {
        var rest = text.Replace("\\n", "\n", StringComparison.Ordinal).AsSpan();
        if (!rest.Contains("-----", StringComparison.Ordinal))
        {
            return FromBase64(rest);
        }

        while (PemEncoding.TryFind(rest, out var pem))
        {
            if (rest[pem.Label].EndsWith(Label, StringComparison.Ordinal))
            {
                return FromBase64(rest[pem.Base64Data]);
            }

            rest = rest[pem.Location.End..];
        }

        return null;
    }

    /// <returns>The bytes, or null when this is no base64 or none at all. White space between the digits is skipped.</returns>
    public static byte[]? FromBase64(ReadOnlySpan<char> text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64Chars(text, bytes, out var length) && length > 0 ? bytes[..length] : null;
    }
}
