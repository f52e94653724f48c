using System.Text;
using Microsoft.Extensions.Primitives;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>
/// The <c>Idempotency-Key</c> header (draft-ietf-httpapi-idempotency-key-header): a structured-field string such as
/// <c>"8e03978e"</c>. A bare token, which many clients send, means the same key.
/// </summary>
internal static class KeyHeader
{
    public const int MaxLength = 255;

    /// <summary>The one key, without its quotes; null when there is not exactly one that can be read.</summary>
    public static string? Parse(StringValues lines)
    {
        if (lines is not [{ } line])
        {
            return null;
        }

        var text = line.Trim(' ', '\t');
        var key = text.StartsWith('"') ? Unquote(text) : text.All(c => c is > ' ' and <= '~' and not ('"' or ',' or '\\')) ? text : null;
        return key is { Length: > 0 and <= MaxLength } ? key : null;
    }

    // RFC 9651 section 4.2.5: printable ASCII, in which only the quote and the backslash are escaped.
    private static string? Unquote(string text)
    {
        var key = new StringBuilder(text.Length);
        for (var i = 1; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '"')
            {
                return i == text.Length - 1 ? key.ToString() : null;
            }

            if (c == '\\' && (++i == text.Length || (c = text[i]) is not ('"' or '\\')))
            {
                return null;
            }

            if (c is < ' ' or > '~')
            {
                return null;
            }

            key.Append(c);
        }

        return null;
    }
}
