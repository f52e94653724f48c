using System.Security.Cryptography;

namespace Ha.Security;

/// <summary>The <c>Content-Digest</c> field (RFC 9530) in the one form used here: <c>sha-256=:base64:</c>.</summary>
internal static class ContentDigest
{
    private const string Prefix = "sha-256=";

    public static string Of(ReadOnlySpan<byte> body) => Prefix + ByteItem.Write(SHA256.HashData(body));

    /// <summary>Whether the field is well formed. Says nothing about the body, which need not have been read yet.</summary>
    public static bool IsWellFormed(string header) =>
        header.StartsWith(Prefix, StringComparison.Ordinal) && ByteItem.Read(header.AsSpan(Prefix.Length)) is { Length: SHA256.HashSizeInBytes };

    /// <summary>True when the field is the digest of this body.</summary>
    public static bool Matches(string? header, ReadOnlySpan<byte> body) => header == Of(body);
}
