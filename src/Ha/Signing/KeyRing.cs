namespace Ha.Signing;

/// <summary>
/// The keys of this node: the first signs, all verify, so that a secret can be replaced without downtime.
/// Immutable and thread-safe. An empty ring that is not <see cref="Unsigned"/> accepts nothing.
/// </summary>
internal sealed class KeyRing
{
    // A handful: a scan compares spans and needs no string for the lookup.
    private readonly HaKey[] _keys;

    public KeyRing(IEnumerable<HaKey> keys, bool unsigned = false)
    {
        _keys = [.. keys.DistinctBy(key => key.KeyId, StringComparer.Ordinal)];
        Unsigned = unsigned && _keys.Length == 0;
    }

    /// <summary>True: no signature is made or asked for. Never true when there is a key.</summary>
    public bool Unsigned { get; }

    /// <summary>The key that signs; null without keys.</summary>
    public HaKey? Signer => _keys.Length > 0 ? _keys[0] : null;

    public static KeyRing FromOptions(HaOptions options) =>
        new(options.ClusterSecrets.Select(secret => new HmacKey(secret)), options.Insecure);

    public HaKey? Find(ReadOnlySpan<char> keyId)
    {
        foreach (var key in _keys)
        {
            if (keyId.SequenceEqual(key.KeyId))
            {
                return key;
            }
        }

        return null;
    }
}
