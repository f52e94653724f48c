using System.Security.Cryptography;
using Ha.Security;

namespace Ha;

/// <summary>
/// One key that signs or verifies heartbeats. Its algorithm is a property of the key and never of a message, so a
/// message cannot talk a verifier into a weaker one. Implementations are immutable and thread-safe and do not keep what
/// they are given. <see cref="ToString"/> never shows key material.
/// </summary>
public abstract class HaKey
{
    /// <summary>The longest signature of any algorithm; buffers on the stack are made for it.</summary>
    internal const int MaxSignatureBytes = 64;

    /// <summary>Longest key id that travels.</summary>
    internal const int MaxKeyIdLength = 128;

    private const int KeyIdBytes = 16;

    private CachedInput? _requestInput;
    private CachedInput? _replyInput;

    /// <param name="algorithm">Name in the IANA registry "HTTP Signature Algorithms", such as <c>ed25519</c>.</param>
    /// <param name="signatureBytes">Length of every signature, 1 to 64 bytes.</param>
    /// <param name="publicKey">The public key as DER SubjectPublicKeyInfo; <see cref="KeyId"/> is derived from it.</param>
    /// <param name="canSign">True when the private half is there too.</param>
    /// <exception cref="ArgumentOutOfRangeException">The signature is longer than any that travels.</exception>
    protected HaKey(string algorithm, int signatureBytes, ReadOnlySpan<byte> publicKey, bool canSign)
        : this(Convert.ToHexStringLower(SHA256.HashData(publicKey).AsSpan(0, KeyIdBytes)), algorithm, signatureBytes)
    {
        PublicKey = Convert.ToBase64String(publicKey);
        CanSign = canSign;
    }

    private protected HaKey(string keyId, string algorithm, int signatureBytes)
    {
        ArgumentException.ThrowIfNullOrEmpty(algorithm);
        ArgumentOutOfRangeException.ThrowIfLessThan(signatureBytes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(signatureBytes, MaxSignatureBytes);
        KeyId = keyId;
        Algorithm = algorithm;
        SignatureBytes = signatureBytes;
        CanSign = true;
    }

    /// <summary>Names the key in a message's <c>keyid</c>. Not secret.</summary>
    public string KeyId { get; }

    /// <summary>Name in the IANA registry "HTTP Signature Algorithms".</summary>
    public string Algorithm { get; }

    /// <summary>Every signature of this key has exactly this many bytes.</summary>
    public int SignatureBytes { get; }

    /// <summary>False for the public half of a key pair.</summary>
    public bool CanSign { get; }

    /// <summary>The public key as <c>BASE_PEER_KEYS</c> wants it; null for a shared secret.</summary>
    internal string? PublicKey { get; }

    /// <summary>What this key's latest requests and replies have in common.</summary>
    internal ref CachedInput? RequestInput => ref _requestInput;

    internal ref CachedInput? ReplyInput => ref _replyInput;

    /// <summary>Signs with the private half.</summary>
    /// <param name="data">The signature base.</param>
    /// <param name="signature">Exactly <see cref="SignatureBytes"/> long.</param>
    /// <exception cref="InvalidOperationException">There is no private half.</exception>
    public abstract void Sign(ReadOnlySpan<byte> data, Span<byte> signature);

    /// <summary>False for a signature of any other length or content. Does not throw.</summary>
    /// <param name="data">The signature base.</param>
    /// <param name="signature">Whatever a message brought.</param>
    public abstract bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature);

    /// <summary>Algorithm and key id.</summary>
    public sealed override string ToString() => $"{Algorithm} key {KeyId}";
}
