namespace Ha.Security;

/// <summary>
/// One key that signs or verifies heartbeats. Its algorithm is a property of the key and never of a message, so a
/// message cannot talk a verifier into a weaker one. Immutable and thread-safe. <see cref="ToString"/> never shows key
/// material.
/// </summary>
/// <param name="keyId">Names the key in a message's <c>keyid</c>. Not secret.</param>
/// <param name="algorithm">Name in the IANA registry "HTTP Signature Algorithms".</param>
internal abstract class HaKey(string keyId, string algorithm)
{
    public string KeyId { get; } = keyId;

    public string Algorithm { get; } = algorithm;

    /// <summary>False for the public half of a key pair.</summary>
    public virtual bool CanSign => true;

    /// <summary>The public key as <c>BASE_PEER_KEYS</c> wants it; null for a shared secret.</summary>
    public virtual string? PublicKey => null;

    /// <param name="data">The signature base.</param>
    /// <exception cref="InvalidOperationException">This is only the public half.</exception>
    public abstract byte[] Sign(ReadOnlySpan<byte> data);

    /// <summary>False for a signature of any other length or content. Does not throw.</summary>
    /// <param name="data">The signature base.</param>
    /// <param name="signature">Whatever a message brought.</param>
    public abstract bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature);

    /// <summary>Algorithm and key id.</summary>
    public sealed override string ToString() => $"{Algorithm} key {KeyId}";
}
