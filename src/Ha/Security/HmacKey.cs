using System.Security.Cryptography;
using System.Text;

namespace Ha.Security;

/// <summary>HMAC-SHA256 with a shared secret (RFC 9421 section 3.3.3).</summary>
internal sealed class HmacKey : HaKey
{
    public const string AlgorithmName = "hmac-sha256";
    private const int KeyIdBytes = 8;

    private readonly KeptInstance<IncrementalHash> _hmac;

    public HmacKey(string secret)
        : this(Encoding.UTF8.GetBytes(secret))
    {
    }

    public HmacKey(byte[] secret)
        : base(DeriveKeyId(secret), AlgorithmName, HMACSHA256.HashSizeInBytes)
    {
        _hmac = new KeptInstance<IncrementalHash>(() => IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret));
    }

    public override void Sign(ReadOnlySpan<byte> data, Span<byte> signature)
    {
        var hmac = _hmac.Take();
        hmac.AppendData(data);
        hmac.GetHashAndReset(signature);
        _hmac.Return(hmac);
    }

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Sign(data, expected);
        return CryptographicOperations.FixedTimeEquals(expected, signature);
    }

    /// <summary>
    /// The same on every node and not secret. The label cannot be the start of a signature base (those start with a
    /// quote), so the id gives away nothing about any signature.
    /// </summary>
    private static string DeriveKeyId(byte[] secret)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secret, "ha keyid 1"u8, hash);
        return Convert.ToHexStringLower(hash[..KeyIdBytes]);
    }
}
