using System.Security.Cryptography;

namespace Ha.Security;

/// <summary>The <c>Content-Digest</c> field (RFC 9530) in the one form used here: <c>sha-256=:base64:</c>.</summary>
internal static class ContentDigest
{
    private const string Prefix = "sha-256=";

    public static readonly int Length = Prefix.Length + ByteItem.Length(SHA256.HashSizeInBytes);

    private static readonly KeptInstance<IncrementalHash> _sha256 = new(static () => IncrementalHash.CreateHash(HashAlgorithmName.SHA256));

    /// <param name="body">The message's content.</param>
    /// <param name="text">Exactly <see cref="Length"/> long.</param>
    public static void Write(ReadOnlySpan<byte> body, Span<char> text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        var sha256 = _sha256.Take();
        sha256.AppendData(body);
        sha256.GetHashAndReset(hash);
        _sha256.Return(sha256);
        Prefix.CopyTo(text);
        ByteItem.Write(hash, text[Prefix.Length..]);
    }

    /// <summary>
    /// Whether the field is there and well formed. Says nothing about the body, which need not have been read yet.
    /// </summary>
    public static bool IsWellFormed(ReadOnlySpan<char> header)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        return header.Length == Length && header.StartsWith(Prefix, StringComparison.Ordinal) &&
            ByteItem.TryRead(header[Prefix.Length..], hash, out var written) && written == hash.Length;
    }

    /// <summary>True when the field is the digest of this body.</summary>
    public static bool Matches(ReadOnlySpan<char> header, ReadOnlySpan<byte> body)
    {
        Span<char> expected = stackalloc char[Length];
        Write(body, expected);
        return header.SequenceEqual(expected);
    }
}
