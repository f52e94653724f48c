using NSec.Cryptography;

namespace Ha.NSec;

/// <summary>Ed25519 (RFC 9421 section 3.3.6). The library's keys are immutable and serve any number of threads.</summary>
internal sealed class Ed25519Key : HaKey
{
    public const string AlgorithmName = "ed25519";
    private const int SignatureSize = 64;

    private readonly Key? _private;
    private readonly PublicKey _public;

    public Ed25519Key(Key key)
        : this(key.PublicKey, key)
    {
    }

    public Ed25519Key(PublicKey key)
        : this(key, null)
    {
    }

    private Ed25519Key(PublicKey publicKey, Key? privateKey)
        : base(AlgorithmName, SignatureSize, publicKey.Export(KeyBlobFormat.PkixPublicKey), canSign: privateKey is not null)
    {
        _public = publicKey;
        _private = privateKey;
    }

    public override void Sign(ReadOnlySpan<byte> data, Span<byte> signature)
    {
        if (_private is null)
        {
            throw new InvalidOperationException("The public half of a key pair signs nothing.");
        }

        SignatureAlgorithm.Ed25519.Sign(_private, data, signature);
    }

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureSize && SignatureAlgorithm.Ed25519.Verify(_public, data, signature);
}
