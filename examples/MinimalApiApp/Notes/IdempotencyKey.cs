using System.Security.Cryptography;
using System.Text;

namespace MinimalApiApp.Notes;

/// <summary>
/// The <c>Idempotency-Key</c> header (draft-ietf-httpapi-idempotency-key-header): a structured-field string such as
/// <c>"8e03978e"</c>. A bare token, which many clients send, means the same key.
/// </summary>
internal static class IdempotencyKey
{
    public const string Header = "Idempotency-Key";
    public const int MaxLength = 255;

    /// <summary>False with a problem when the header cannot be read; true with a null key when there is none.</summary>
    public static bool TryRead(HttpRequest request, out string? key, out string? problem)
    {
        (key, problem) = (null, null);
        var values = request.Headers[Header];
        if (values.Count == 0)
        {
            return true;
        }

        if (values is not [{ } text] || !TryParse(text.Trim(' ', '\t'), out key))
        {
            problem = $"{Header} must be one quoted string of 1 to {MaxLength} printable ASCII characters, such as \"8e03978e-40d5\".";
            return false;
        }

        return true;
    }

    /// <summary>What makes two requests with one key the same request.</summary>
    public static string Fingerprint(HttpRequest request, string payload) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{request.Method} {request.Path}\n{payload}")));

    private static bool TryParse(string text, out string? key)
    {
        var read = text.StartsWith('"') ? Unquote(text) : IsToken(text) ? text : null;
        key = read is { Length: > 0 and <= MaxLength } ? read : null;
        return key is not null;
    }

    private static bool IsToken(string text) => text.All(c => c is > ' ' and <= '~' and not ('"' or ',' or '\\'));

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
