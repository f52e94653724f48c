using Microsoft.Extensions.Primitives;

namespace Ha.Security;

/// <summary>The three header fields of a message that was just signed, two of them in the signer's buffer.</summary>
internal readonly ref struct SignedHeaders(ReadOnlySpan<char> contentDigest, string signatureInput, ReadOnlySpan<char> signature)
{
    /// <summary>Room for a digest and the longest signature with its label.</summary>
    public static readonly int MaxLength =
        Security.ContentDigest.Length + SignatureHeaders.LabelPrefix.Length + ByteItem.Length(HaKey.MaxSignatureBytes);

    public ReadOnlySpan<char> ContentDigest { get; } = contentDigest;

    public string SignatureInput { get; } = signatureInput;

    public ReadOnlySpan<char> Signature { get; } = signature;

    /// <summary>As strings, for interfaces that take nothing else.</summary>
    public SignatureHeaders ToStrings() => new(ContentDigest.ToString(), SignatureInput, Signature.ToString());
}

/// <summary>The three header fields of a signed message, each present at most once.</summary>
internal readonly record struct SignatureHeaders(string? ContentDigest, string? SignatureInput, string? Signature)
{
    public const string ContentDigestName = "Content-Digest";
    public const string SignatureInputName = "Signature-Input";
    public const string SignatureName = "Signature";

    /// <summary>Label of our signature in both dictionaries.</summary>
    public const string Label = "ha";

    /// <summary>What every value starts with: <c>ha=</c>.</summary>
    public const string LabelPrefix = Label + "=";

    /// <summary>False when one of them is given more than once: which of two is meant is nobody's guess.</summary>
    public static bool TryRead(StringValues digest, StringValues input, StringValues signature, out SignatureHeaders headers)
    {
        headers = default;
        if (digest.Count > 1 || input.Count > 1 || signature.Count > 1)
        {
            return false;
        }

        headers = new SignatureHeaders(digest.ToString(), input.ToString(), signature.ToString());
        return true;
    }

    public bool Complete =>
        !string.IsNullOrEmpty(ContentDigest) && !string.IsNullOrEmpty(SignatureInput) && !string.IsNullOrEmpty(Signature);

    /// <summary>
    /// The value of component <c>"signature";req;key="ha"</c> in the reply (RFC 9421 sections 2.1.2 and 2.4). Only for
    /// headers that were verified or made here: those are in canonical form already.
    /// </summary>
    public ReadOnlySpan<char> SignatureItem() =>
        Signature?.Length >= LabelPrefix.Length ? Signature.AsSpan(LabelPrefix.Length) : default;
}
