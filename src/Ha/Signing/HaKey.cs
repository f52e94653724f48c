namespace Ha.Signing;

/// <summary>
/// One key. Its algorithm is a property of the key and never of a message, so a message cannot talk a verifier
/// into a weaker one. Implementations are immutable and thread-safe and do not allocate per message.
/// <c>ToString</c> never shows key material.
/// </summary>
internal abstract class HaKey(string keyId, string algorithm, int signatureBytes)
{
    /// <summary>Longest key id that travels.</summary>
    public const int MaxKeyIdLength = 128;

    /// <summary>The longest signature of any algorithm; buffers on the stack are made for it.</summary>
    public const int MaxSignatureBytes = 64;

    /// <summary>Names the key in <c>keyid</c>. Not secret, printable ASCII without quote and backslash.</summary>
    public string KeyId { get; } = keyId;

    /// <summary>Name in the IANA registry "HTTP Signature Algorithms".</summary>
    public string Algorithm { get; } = algorithm;

    /// <summary>Every signature of this key has exactly this many bytes.</summary>
    public int SignatureBytes { get; } = signatureBytes;

    /// <param name="data">The signature base.</param>
    /// <param name="signature">Exactly <see cref="SignatureBytes"/> long.</param>
    public abstract void Sign(ReadOnlySpan<byte> data, Span<byte> signature);

    /// <summary>False for a signature of any other length or content. Does not throw.</summary>
    public abstract bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature);

    public sealed override string ToString() => $"{Algorithm} key {KeyId}";
}
