using System.Security.Cryptography;
using Microsoft.Extensions.ObjectPool;

namespace Ha.Signing;

/// <summary>ECDSA with curve P-256 and SHA-256, signatures as r and s side by side (RFC 9421 section 3.3.4).</summary>
internal sealed class EcdsaKey : HaKey
{
    public const string AlgorithmName = "ecdsa-p256-sha256";
    private const int RAndSBytes = 64;

    // The platform does not promise that one instance serves several threads.
    private readonly ObjectPool<ECDsa> _instances;

    public EcdsaKey(ECParameters parameters, ReadOnlySpan<byte> publicKey)
        : base(AlgorithmName, RAndSBytes, publicKey, canSign: parameters.D is not null)
    {
        _instances = new DefaultObjectPoolProvider().Create(new Policy(parameters));
        _instances.Return(_instances.Get());
    }

    public override void Sign(ReadOnlySpan<byte> data, Span<byte> signature)
    {
        if (!CanSign)
        {
            throw new InvalidOperationException("The public half of a key pair signs nothing.");
        }

        var ecdsa = _instances.Get();
        ecdsa.SignData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        _instances.Return(ecdsa);
    }

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != RAndSBytes)
        {
            return false;
        }

        var ecdsa = _instances.Get();
        var valid = ecdsa.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        _instances.Return(ecdsa);
        return valid;
    }

    private sealed class Policy(ECParameters parameters) : PooledObjectPolicy<ECDsa>
    {
        public override ECDsa Create() => ECDsa.Create(parameters);

        public override bool Return(ECDsa obj) => true;
    }
}
