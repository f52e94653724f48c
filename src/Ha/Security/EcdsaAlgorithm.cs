using System.Security.Cryptography;

namespace Ha.Security;

/// <summary>The algorithm of per-node keys that needs no package.</summary>
internal sealed class EcdsaAlgorithm : HaKeyAlgorithm
{
    private const string P256 = "1.2.840.10045.3.1.7";

    private delegate void Import(ECDsa key, ReadOnlySpan<byte> der, out int bytesRead);

    public static EcdsaAlgorithm Instance { get; } = new();

    public override string Name => EcdsaKey.AlgorithmName;

    /// <summary>PKCS#8, or SEC1 ECPrivateKey (RFC 5915) as older tools write it.</summary>
    public override HaKey? ReadPrivateKey(ReadOnlySpan<byte> der) =>
        Read(der, hasPrivate: true, static (ECDsa key, ReadOnlySpan<byte> der, out int read) => key.ImportPkcs8PrivateKey(der, out read)) ??
        Read(der, hasPrivate: true, static (ECDsa key, ReadOnlySpan<byte> der, out int read) => key.ImportECPrivateKey(der, out read));

    public override HaKey? ReadPublicKey(ReadOnlySpan<byte> der) =>
        Read(der, hasPrivate: false, static (ECDsa key, ReadOnlySpan<byte> der, out int read) => key.ImportSubjectPublicKeyInfo(der, out read));

    private static EcdsaKey? Read(ReadOnlySpan<byte> der, bool hasPrivate, Import import)
    {
        using var key = ECDsa.Create();
        try
        {
            import(key, der, out var read);
            var parameters = key.ExportParameters(hasPrivate);

            // Exported again, so that one key has one id however it was written.
            return read == der.Length && parameters.Curve is { IsNamed: true, Oid.Value: P256 }
                ? new EcdsaKey(parameters, key.ExportSubjectPublicKeyInfo())
                : null;
        }
        catch (Exception error) when (error is CryptographicException or NotSupportedException)
        {
            // Not supported: the platform's word for a curve it has never heard of.
            return null;
        }
    }
}
