using Microsoft.Extensions.Primitives;

namespace Ha.Security;

/// <summary>The three header fields of a signed message, each present at most once.</summary>
internal readonly record struct SignatureHeaders(string? ContentDigest, string? SignatureInput, string? Signature)
{
    public const string ContentDigestName = "Content-Digest";
    public const string SignatureInputName = "Signature-Input";
    public const string SignatureName = "Signature";

    /// <summary>What both dictionaries start with: the label of our signature.</summary>
    public const string Label = "ha=";

    public bool Complete =>
        !string.IsNullOrEmpty(ContentDigest) && !string.IsNullOrEmpty(SignatureInput) && !string.IsNullOrEmpty(Signature);

    /// <summary>
    /// The value of component <c>"signature";req;key="ha"</c> in the reply (RFC 9421 sections 2.1.2 and 2.4). Only for
    /// headers that were verified or made here: those are in canonical form already.
    /// </summary>
    public string SignatureItem => Signature?.Length >= Label.Length ? Signature[Label.Length..] : "";

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
}
