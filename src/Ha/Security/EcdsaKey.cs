using System.Security.Cryptography;

namespace Ha.Security;

/// <summary>ECDSA with curve P-256 and SHA-256, signatures as r and s side by side (RFC 9421 section 3.3.4).</summary>
internal sealed class EcdsaKey : HaKey
{
    public const string AlgorithmName = "ecdsa-p256-sha256";
    private const int RAndSBytes = 64;

    // The platform does not promise that one instance serves several threads.
    private readonly KeptInstance<ECDsa> _instances;

    public EcdsaKey(ECParameters parameters, ReadOnlySpan<byte> publicKey)
        : base(AlgorithmName, RAndSBytes, publicKey, canSign: parameters.D is not null)
    {
        _instances = new KeptInstance<ECDsa>(() => ECDsa.Create(parameters));
        _instances.Return(_instances.Take());
    }

    public override void Sign(ReadOnlySpan<byte> data, Span<byte> signature)
    {
        if (!CanSign)
        {
            throw new InvalidOperationException("The public half of a key pair signs nothing.");
        }

        var ecdsa = _instances.Take();
        ecdsa.SignData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        _instances.Return(ecdsa);
    }

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != RAndSBytes)
        {
            return false;
        }

        var ecdsa = _instances.Take();
        var valid = ecdsa.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        _instances.Return(ecdsa);
        return valid;
    }
}
