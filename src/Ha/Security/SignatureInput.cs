using System.Buffers;
using System.Globalization;

namespace Ha.Security;

/// <summary>
/// One <c>Signature-Input</c> value, taken apart. Far stricter than RFC 9421 section 4.1 asks: one label, the
/// components given, each of the four parameters once and no other, canonical spelling. What is accepted is therefore
/// its own canonical serialisation and goes into the signature base as it is. <c>created</c> is informative: replay is
/// stopped by incarnations, nonces and sequence numbers.
/// </summary>
/// <param name="Parameters">The components with their parameters: what <c>"@signature-params"</c> covers.</param>
/// <param name="KeyId">Who says to have signed.</param>
/// <param name="Algorithm">With what.</param>
internal sealed record SignatureInput(string Parameters, string KeyId, string Algorithm)
{
    /// <summary>Longer values are refused unread.</summary>
    private const int MaxLength = 512;

    /// <summary>Structured fields allow integers of 15 digits.</summary>
    private const int MaxDigits = 15;

    /// <summary>Keeps signatures of other applications with the same key out (section 2.3).</summary>
    private const string Tag = "\"ha\"";

    private static readonly SearchValues<char> _digits = SearchValues.Create("0123456789");

    // Printable ASCII but quote and backslash: a string of these needs no escape and has one spelling.
    private static readonly SearchValues<char> _plain =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c).Except(['"', '\\'])]);

    /// <summary>The components with the parameters of our own signature.</summary>
    public static string Format(string components, long created, HaKey key) => string.Create(
        CultureInfo.InvariantCulture, $"{components};created={created};keyid=\"{key.KeyId}\";alg=\"{key.Algorithm}\";tag={Tag}");

    /// <param name="header">The whole value, label included.</param>
    /// <param name="components">The only ones that are accepted.</param>
    /// <param name="input">Null unless the verdict is <see cref="SignatureVerdict.Valid"/>.</param>
    public static SignatureVerdict Parse(string header, string components, out SignatureInput? input)
    {
        input = null;
        if (header.Length > MaxLength || !header.StartsWith(SignatureHeaders.Label, StringComparison.Ordinal))
        {
            return SignatureVerdict.Malformed;
        }

        var parameters = header[SignatureHeaders.Label.Length..];
        if (!parameters.StartsWith(components, StringComparison.Ordinal))
        {
            return SignatureVerdict.WrongComponents;
        }

        // Nothing before the first semicolon, then four parameters. With each of ours among them, each is there once.
        var parts = parameters[components.Length..].Split(';');
        var keyId = Text(Find("keyid="));
        var algorithm = Text(Find("alg="));
        if (parts.Length != 5 || parts[0].Length > 0 || keyId is null || algorithm is null || !IsInteger(Find("created=")) || Find("tag=") != Tag)
        {
            return SignatureVerdict.Malformed;
        }

        input = new SignatureInput(parameters, keyId, algorithm);
        return SignatureVerdict.Valid;

        string? Find(string name) => Array.Find(parts, part => part.StartsWith(name, StringComparison.Ordinal))?[name.Length..];
    }

    private static bool IsInteger(string? value) =>
        value is { Length: > 0 and <= MaxDigits } && !value.AsSpan().ContainsAnyExcept(_digits) && (value[0] != '0' || value.Length == 1);

    /// <summary>What stands between the quotes, not empty; no key id or algorithm of ours has an escape.</summary>
    private static string? Text(string? value) =>
        value is ['"', .. { Length: > 0 } text, '"'] && !text.AsSpan().ContainsAnyExcept(_plain) ? text : null;
}
