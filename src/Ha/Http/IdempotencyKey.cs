namespace Ha.Http;

/// <summary>
/// The client's name for one write (draft-ietf-httpapi-idempotency-key-header). Compiled into the server and the
/// client package, so that both call the same thing a key.
/// </summary>
internal static class IdempotencyKey
{
    public const string Header = "Idempotency-Key";

    /// <summary>
    /// The one usable key among the header's field lines, or null. No line, several, or a blank one protect nothing:
    /// an application cannot tell two copies of the write by them. Two keys joined by a comma are two, unless the comma
    /// is part of one quoted string (RFC 9651 section 3.3.3).
    /// </summary>
    /// <param name="lines">The values of the header, one for each line it came in.</param>
    public static string? Of(IEnumerable<string?> lines)
    {
        string? only = null;
        foreach (var line in lines)
        {
            if (only is not null)
            {
                return null;
            }

            only = line?.Trim() ?? "";
        }

        return only is { Length: > 0 } key && IsOne(key) ? key : null;
    }

    private static bool IsOne(ReadOnlySpan<char> key)
    {
        if (key[0] != '"')
        {
            return !key.Contains(',');
        }

        var rest = key[1..];
        while (rest.IndexOfAny('"', '\\') is >= 0 and var next)
        {
            if (rest[next] == '"')
            {
                // The closing quote: something inside of it, nothing behind it.
                return next + 1 == rest.Length && !key[1..^1].IsWhiteSpace();
            }

            rest = rest.Length > next + 1 ? rest[(next + 2)..] : [];
        }

        return false;
    }
}
