using System.Security.Cryptography;
using System.Text;

namespace Ha.Security;

/// <summary>
/// A token of which only the hash is kept, to be compared with what strangers send in a time that tells nothing about
/// either: hashes have one length, so not even the token's length shows. Immutable and thread-safe.
/// </summary>
internal sealed class HashedToken(string token) : IFileContent<HashedToken>
{
    private readonly byte[] _hash = Hash(token);

    public bool Matches(string given) => CryptographicOperations.FixedTimeEquals(Hash(given), _hash);

    public bool IsSameAs(HashedToken other) => CryptographicOperations.FixedTimeEquals(other._hash, _hash);

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
