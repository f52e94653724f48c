using System.Security.Cryptography;
using System.Text;

namespace Ha.Security;

/// <summary>HMAC-SHA256 with a shared secret (RFC 9421 section 3.3.3).</summary>
internal sealed class HmacKey(byte[] secret) : HaKey(DeriveKeyId(secret), AlgorithmName)
{
    public const string AlgorithmName = "hmac-sha256";
    private const int KeyIdBytes = 8;

    public HmacKey(string secret)
        : this(Encoding.UTF8.GetBytes(secret))
    {
    }

    public override byte[] Sign(ReadOnlySpan<byte> data) => HMACSHA256.HashData(secret, data);

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) =>
        CryptographicOperations.FixedTimeEquals(Sign(data), signature);

    /// <summary>
    /// The same on every node and not secret. The label cannot be the start of a signature base (those start with a
    /// quote), so the id gives away nothing about any signature.
    /// </summary>
    private static string DeriveKeyId(byte[] secret) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(secret, "ha keyid 1"u8).AsSpan(0, KeyIdBytes));
}
