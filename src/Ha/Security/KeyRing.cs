using System.Runtime.InteropServices;

namespace Ha.Security;

/// <summary>A key and who may speak with it.</summary>
/// <param name="Key">The key.</param>
/// <param name="NodeId">The one node it belongs to; null for a shared secret, which is good for every name.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RingKey(HaKey Key, string? NodeId)
{
    public bool MaySpeakFor(string nodeId) => NodeId is null || string.Equals(NodeId, nodeId, StringComparison.Ordinal);
}

/// <summary>
/// The keys of this node: the first signs, all verify, so that a key can be replaced without downtime.
/// Immutable and thread-safe. An empty ring that is not <see cref="Unsigned"/> accepts nothing.
/// </summary>
internal sealed class KeyRing : IFileContent<KeyRing>
{
    private readonly RingKey[] _keys;

    /// <param name="keys">Of two with one id the first counts.</param>
    /// <param name="unsigned">Permission to go without, when there is no key.</param>
    public KeyRing(IEnumerable<RingKey> keys, bool unsigned = false)
    {
        _keys = [.. keys.DistinctBy(entry => entry.Key.KeyId, StringComparer.Ordinal)];
        Unsigned = unsigned && _keys.Length == 0;
    }

    /// <summary>True: no signature is made or asked for. Never true when there is a key.</summary>
    public bool Unsigned { get; }

    /// <summary>The key that signs; null when the first is only a public half, or there is none.</summary>
    public HaKey? Signer => _keys is [{ Key: { CanSign: true } key }, ..] ? key : null;

    /// <summary>How many keys are accepted.</summary>
    public int Count => _keys.Length;

    /// <summary>True when both sign with the same key and accept the same ones for the same nodes.</summary>
    public bool IsSameAs(KeyRing other) => _keys.Select(Identity).SequenceEqual(other._keys.Select(Identity));

    /// <returns>False when no key has this id.</returns>
    public bool TryFind(string keyId, out RingKey found)
    {
        found = Array.Find(_keys, entry => entry.Key.KeyId == keyId);
        return found.Key is not null;
    }

    private static (string, string?) Identity(RingKey entry) => (entry.Key.KeyId, entry.NodeId);
}
