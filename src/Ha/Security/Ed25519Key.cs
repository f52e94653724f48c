using System.Security.Cryptography;
using NSec.Cryptography;

namespace Ha.Security;

/// <summary>
/// Ed25519 (RFC 8032, RFC 9421 section 3.3.6): a key pair of a node, or its public half. Keys are read as RFC 8410 writes
/// them and <c>openssl genpkey -algorithm ed25519</c> makes them, in that one encoding.
/// </summary>
internal sealed class Ed25519Key : HaKey
{
    public const string AlgorithmName = "ed25519";
    private const int KeyIdBytes = 16;

    private static readonly Ed25519 _algorithm = SignatureAlgorithm.Ed25519;

    // Nobody disposes of it: a message that began with a ring ends with it, though another ring is in use by then. The
    // library wipes and frees its memory when the last reference is gone.
    private readonly Key? _private;
    private readonly PublicKey _public;

    private Ed25519Key(PublicKey publicKey, byte[] spki, Key? privateKey)
        : base(Convert.ToHexStringLower(SHA256.HashData(spki).AsSpan(0, KeyIdBytes)), AlgorithmName)
    {
        _public = publicKey;
        _private = privateKey;
        PublicKey = Convert.ToBase64String(spki);
    }

    public override string PublicKey { get; }

    public override bool CanSign => _private is not null;

    /// <param name="der">PKCS#8 PrivateKeyInfo.</param>
    /// <returns>A key that signs; null when these bytes are anything else.</returns>
    public static Ed25519Key? ReadPrivate(ReadOnlySpan<byte> der) =>
        Key.TryImport(_algorithm, der, KeyBlobFormat.PkixPrivateKey, out var key)
            ? new Ed25519Key(key!.PublicKey, key.PublicKey.Export(KeyBlobFormat.PkixPublicKey), key)
            : null;

    /// <param name="der">SubjectPublicKeyInfo.</param>
    /// <returns>A key that only verifies; null when these bytes are anything else.</returns>
    public static Ed25519Key? ReadPublic(ReadOnlySpan<byte> der) =>
        NSec.Cryptography.PublicKey.TryImport(_algorithm, der, KeyBlobFormat.PkixPublicKey, out var key) && IsReduced(der[^_algorithm.PublicKeySize..])
            ? new Ed25519Key(key!, der.ToArray(), null)
            : null;

    public override byte[] Sign(ReadOnlySpan<byte> data) =>
        _algorithm.Sign(_private ?? throw new InvalidOperationException("The public half of a key pair signs nothing."), data);

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) => _algorithm.Verify(_public, data, signature);

    /// <summary>
    /// Whether the coordinate is below 2^255 - 19, as RFC 8032 section 5.1.3 asks: one key has one encoding, and so one id.
    /// The library refuses such a key with every signature, but not when it reads it.
    /// </summary>
    private static bool IsReduced(ReadOnlySpan<byte> point) =>
        point[0] < 0xED || (point[31] | 0x80) != 0xFF || point[1..31].ContainsAnyExcept((byte)0xFF);
}
