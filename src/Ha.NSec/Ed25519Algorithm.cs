using NSec.Cryptography;

namespace Ha.NSec;

/// <summary>Reads Ed25519 keys as RFC 8410 writes them and <c>openssl genpkey -algorithm ED25519</c> makes them.</summary>
internal sealed class Ed25519Algorithm : HaKeyAlgorithm
{
    public static Ed25519Algorithm Instance { get; } = new();

    public override string Name => Ed25519Key.AlgorithmName;

    public override HaKey? ReadPrivateKey(ReadOnlySpan<byte> der) =>
        Key.TryImport(SignatureAlgorithm.Ed25519, der, KeyBlobFormat.PkixPrivateKey, out var key) ? new Ed25519Key(key!) : null;

    public override HaKey? ReadPublicKey(ReadOnlySpan<byte> der) =>
        PublicKey.TryImport(SignatureAlgorithm.Ed25519, der, KeyBlobFormat.PkixPublicKey, out var key) ? new Ed25519Key(key!) : null;
}
