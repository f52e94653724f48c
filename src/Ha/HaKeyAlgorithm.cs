namespace Ha;

/// <summary>
/// A signature algorithm for per-node keys, see <see cref="HaOptions.KeyAlgorithms"/>. ECDSA P-256 is built in; others
/// come in packages of their own. Implementations are thread-safe.
/// </summary>
public abstract class HaKeyAlgorithm
{
    /// <summary>Name in the IANA registry "HTTP Signature Algorithms".</summary>
    public abstract string Name { get; }

    /// <summary>Reads a key pair.</summary>
    /// <param name="der">DER PKCS#8 PrivateKeyInfo (RFC 5958), or a form of this algorithm's own.</param>
    /// <returns>A key that can sign; null when this is no private key of this algorithm. Does not throw.</returns>
    public abstract HaKey? ReadPrivateKey(ReadOnlySpan<byte> der);

    /// <summary>Reads the public half of a key pair.</summary>
    /// <param name="der">DER SubjectPublicKeyInfo (RFC 5280).</param>
    /// <returns>A key that verifies; null when this is no public key of this algorithm. Does not throw.</returns>
    public abstract HaKey? ReadPublicKey(ReadOnlySpan<byte> der);
}
