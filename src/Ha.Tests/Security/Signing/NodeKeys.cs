using System.Collections.Concurrent;
using System.Security.Cryptography;
using Ha.Security;
using NSec.Cryptography;

namespace Ha.Tests.Security.Signing;

/// <summary>One key pair for each node id, the same as long as the tests run.</summary>
internal static class NodeKeys
{
    private static readonly ConcurrentDictionary<string, Key> _pairs = new(StringComparer.Ordinal);

    public static string PrivateOf(string id) => PemEncoding.WriteString("PRIVATE KEY", Pair(id).Export(KeyBlobFormat.PkixPrivateKey));

    /// <summary>As in BASE_PEER_KEYS.</summary>
    public static string EntryOf(string id) => $"{id}={Convert.ToBase64String(Pair(id).Export(KeyBlobFormat.PkixPublicKey))}";

    /// <param name="self">Whose ring it is, and which private key signs; null: no private key.</param>
    /// <param name="known">Whose public keys are known.</param>
    /// <param name="secrets">Shared secrets beside them.</param>
    public static KeyRing Ring(string? self, string[] known, params string[] secrets)
    {
        var options = new HaOptions { NodeId = self ?? "nobody", NodeKey = self is null ? null : PrivateOf(self) };
        foreach (var id in known)
        {
            options.PeerKeys.Add(EntryOf(id));
        }

        foreach (var secret in secrets)
        {
            options.ClusterSecrets.Add(secret);
        }

        return Rings.Of(options);
    }

    // Two callers may make one each; the dictionary keeps one, and only that is ever seen.
    private static Key Pair(string id) => _pairs.GetOrAdd(
        id, static _ => Key.Create(SignatureAlgorithm.Ed25519, new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }));
}
