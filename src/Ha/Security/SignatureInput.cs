using System.Buffers;
using System.Globalization;

namespace Ha.Security;

/// <summary>A <c>Signature-Input</c> value for the messages of one second.</summary>
internal sealed record CachedInput(long Created, string Text);

/// <summary>
/// One <c>Signature-Input</c> value, taken apart. Far stricter than RFC 9421 section 4.1 asks: one label, the
/// components given, each of the four parameters once and no other, canonical spelling. What is accepted is therefore
/// its own canonical serialisation and goes into the signature base as it is.
/// </summary>
internal readonly ref struct SignatureInput
{
    /// <summary>Longer values are refused unread.</summary>
    public const int MaxLength = 512;

    /// <summary>Value of <c>tag</c>: keeps signatures of other applications with the same key out (section 2.3).</summary>
    public const string Tag = "ha";

    private static readonly SearchValues<char> _digits = SearchValues.Create("0123456789");

    // Printable ASCII but quote and backslash: a string of these needs no escape and has one spelling.
    private static readonly SearchValues<char> _plain =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c).Except(['"', '\\'])]);

    // Structured fields allow integers of 15 digits.
    private const int MaxDigits = 15;

    /// <summary>The components with their parameters: what <c>"@signature-params"</c> covers.</summary>
    public required ReadOnlySpan<char> Parameters { get; init; }

    public required ReadOnlySpan<char> KeyId { get; init; }

    public required ReadOnlySpan<char> Algorithm { get; init; }

    /// <summary>Unix seconds. Informative: replay is stopped by incarnations, nonces and sequence numbers.</summary>
    public required long Created { get; init; }

    /// <summary>The whole header value, label included. Remembers the last one: it changes once a second.</summary>
    public static string Format(string components, long created, HaKey key, ref CachedInput? last)
    {
        var cached = Volatile.Read(ref last);
        if (cached is null || cached.Created != created)
        {
            var text = string.Create(
                CultureInfo.InvariantCulture,
                $"{SignatureHeaders.LabelPrefix}{components};created={created};keyid=\"{key.KeyId}\";alg=\"{key.Algorithm}\";tag=\"{Tag}\"");
            cached = new CachedInput(created, text);
            Volatile.Write(ref last, cached);
        }

        return cached.Text;
    }

    public static SignatureVerdict Parse(ReadOnlySpan<char> header, ReadOnlySpan<char> components, out SignatureInput input)
    {
        input = default;
        if (header.Length > MaxLength || !header.StartsWith(SignatureHeaders.LabelPrefix, StringComparison.Ordinal))
        {
            return SignatureVerdict.Malformed;
        }

        var parameters = header[SignatureHeaders.LabelPrefix.Length..];
        if (!parameters.StartsWith(components, StringComparison.Ordinal))
        {
            return SignatureVerdict.WrongComponents;
        }

        var rest = parameters[components.Length..];
        ReadOnlySpan<char> keyId = default, algorithm = default, tag = default;
        var created = -1L;
        while (!rest.IsEmpty)
        {
            var known =
                (created < 0 && TryTakeInteger(ref rest, ";created=", out created)) ||
                (keyId.IsEmpty && TryTakeString(ref rest, ";keyid=\"", out keyId)) ||
                (algorithm.IsEmpty && TryTakeString(ref rest, ";alg=\"", out algorithm)) ||
                (tag.IsEmpty && TryTakeString(ref rest, ";tag=\"", out tag));
            if (!known)
            {
                return SignatureVerdict.Malformed;
            }
        }

        if (created < 0 || keyId.IsEmpty || algorithm.IsEmpty || !tag.SequenceEqual(Tag))
        {
            return SignatureVerdict.Malformed;
        }

        input = new SignatureInput { Parameters = parameters, KeyId = keyId, Algorithm = algorithm, Created = created };
        return SignatureVerdict.Valid;
    }

    private static bool TryTakeInteger(scoped ref ReadOnlySpan<char> rest, string name, out long value)
    {
        value = -1;
        if (!rest.StartsWith(name, StringComparison.Ordinal))
        {
            return false;
        }

        var digits = rest[name.Length..];
        var end = digits.IndexOfAnyExcept(_digits);
        digits = end < 0 ? digits : digits[..end];
        var canonical = digits.Length is > 0 and <= MaxDigits && (digits[0] != '0' || digits.Length == 1);
        if (!canonical || !long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value))
        {
            value = -1;
            return false;
        }

        rest = rest[(name.Length + digits.Length)..];
        return true;
    }

    /// <summary>Takes a non-empty string; no key id, algorithm or tag of ours has an escape.</summary>
    private static bool TryTakeString(scoped ref ReadOnlySpan<char> rest, string name, out ReadOnlySpan<char> value)
    {
        value = default;
        if (!rest.StartsWith(name, StringComparison.Ordinal))
        {
            return false;
        }

        var text = rest[name.Length..];
        var end = text.IndexOfAnyExcept(_plain);
        if (end is <= 0 or > HaKey.MaxKeyIdLength || text[end] != '"')
        {
            return false;
        }

        value = text[..end];
        rest = text[(end + 1)..];
        return true;
    }
}
