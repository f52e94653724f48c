using Ha.Security;

namespace Ha.Configuration;

/// <summary>
/// Makes the key ring of settings, and says what is wrong with them. A message may show a public key, and of everything
/// else how long it is.
/// </summary>
internal static class KeyRules
{
    public const int MaxPeerKeys = 256;

    private const string HowToMakeOne = "make one with: openssl genpkey -algorithm ed25519";
    private const string HowToShowIt = "print it with: openssl pkey -in node.key -pubout -outform DER | openssl base64 -A";

    /// <param name="options">Everything that does not stand in files.</param>
    /// <param name="secrets">Shared secrets, checked already.</param>
    /// <param name="nodeKey">The private key's text.</param>
    /// <param name="problems">What is wrong is added here.</param>
    /// <returns>The ring; of use only when no problem was added.</returns>
    public static KeyRing Build(HaOptions options, IEnumerable<string> secrets, string? nodeKey, List<string> problems)
    {
        var before = problems.Count;
        var keys = new List<RingKey>();
        var own = nodeKey is null ? null : ReadNodeKey(options, nodeKey, problems);
        if (own is not null)
        {
            keys.Add(new RingKey(own, options.NodeId));
        }

        // After the node's own key, which signs as soon as it is there: the secret is then only accepted.
        keys.AddRange(secrets.Where(secret => !string.IsNullOrEmpty(secret)).Select(secret => new RingKey(new HmacKey(secret), null)));
        var shared = keys.Exists(entry => entry.NodeId is null);
        var peers = ReadPeerKeys(options, problems);
        keys.AddRange(peers);
        CheckOwn(options, own, peers, problems);
        if (problems.Count == before)
        {
            CheckOthers(options, nodeKey is not null, shared, peers, problems);
        }

        return new KeyRing(keys, options.Insecure);
    }

    private static Ed25519Key? ReadNodeKey(HaOptions options, string text, List<string> problems)
    {
        var where = options.NodeKeyFile is null ? HaKeys.NodeKey : HaKeys.NodeKeyFile;
        var der = KeyText.Decode(text);
        var key = der is null ? null : Ed25519Key.ReadPrivate(der);
        if (key is null)
        {
            var what = text.Contains("ENCRYPTED", StringComparison.Ordinal) ? "is encrypted, and nobody is there to type the passphrase; decrypt it with: openssl pkey"
                : der is not null && Ed25519Key.ReadPublic(der) is not null ? $"is a public key; give the private one, {HowToMakeOne}"
                : der is null ? $"is neither PEM nor the base64 of a PKCS#8 key; {HowToMakeOne}"
                : $"is not an Ed25519 key in PKCS#8; {HowToMakeOne}";
            problems.Add($"{where} ({text.Length} characters) {what}.");
        }

        return key;
    }

    private static List<RingKey> ReadPeerKeys(HaOptions options, List<string> problems)
    {
        var keys = new List<RingKey>();
        if (options.PeerKeys.Count > MaxPeerKeys)
        {
            problems.Add($"{HaKeys.PeerKeys} holds {options.PeerKeys.Count} keys; use at most {MaxPeerKeys}.");
            return keys;
        }

        for (var i = 0; i < options.PeerKeys.Count; i++)
        {
            if (ReadPeerKey(options.PeerKeys[i] ?? "", i + 1, problems) is { } read && !keys.Contains(read))
            {
                keys.Add(read);
            }
        }

        foreach (var same in keys.GroupBy(entry => entry.Key.KeyId, StringComparer.Ordinal))
        {
            var owners = same.Select(entry => entry.NodeId).Distinct(StringComparer.Ordinal).ToArray();
            if (owners.Length > 1)
            {
                problems.Add($"{HaKeys.PeerKeys} gives one key to {string.Join(" and ", owners)}; make a key for each node.");
            }
        }

        return keys;
    }

    private static RingKey? ReadPeerKey(string entry, int place, List<string> problems)
    {
        // An id may contain '='; base64 has it at the end only.
        var split = entry.TrimEnd('=').LastIndexOf('=');
        var id = split <= 0 ? null : entry[..split];
        if (id is null || !NameRules.IsName(id))
        {
            // What stands here may be anything, a private key included.
            problems.Add($"{HaKeys.PeerKeys} (entry {place}, {entry.Length} characters) is not of the form id=publickey; write the node's {HaKeys.NodeId}, '=', and its public key, {HowToShowIt}.");
            return null;
        }

        var der = KeyText.FromBase64(entry.AsSpan(split + 1)) ?? [];
        if (Ed25519Key.ReadPublic(der) is { } key)
        {
            return new RingKey(key, id);
        }

        var what = Ed25519Key.ReadPrivate(der) is not null
            ? $"is followed by a private key, which now is known to whoever could read this setting; make a new one, and give here the public half, {HowToShowIt}"
            : $"is not followed by the base64 of an Ed25519 public key; {HowToShowIt}";
        problems.Add($"{HaKeys.PeerKeys} ({id}) {what}.");
        return null;
    }

    private static void CheckOwn(HaOptions options, HaKey? own, List<RingKey> peers, List<string> problems)
    {
        if (own is null)
        {
            return;
        }

        var listed = peers.FindAll(entry => entry.NodeId == options.NodeId);
        if (listed.Count > 0 && !listed.Exists(entry => entry.Key.KeyId == own.KeyId))
        {
            problems.Add(
                $"{HaKeys.PeerKeys} ({options.NodeId}) is not the public half of {HaKeys.NodeKey}, so no other node would believe this one; " +
                $"on every node set {options.NodeId}={own.PublicKey}, or correct {HaKeys.NodeKey}.");
        }

        if (peers.Find(entry => entry.Key.KeyId == own.KeyId && entry.NodeId != options.NodeId) is { NodeId: { } other })
        {
            problems.Add($"{HaKeys.PeerKeys} ({other}) is this node's own key, but this node is {options.NodeId}; make a key for each node, or correct {HaKeys.NodeId}.");
        }
    }

    /// <summary>Without a shared secret whoever has no key here is never heard.</summary>
    private static void CheckOthers(HaOptions options, bool signs, bool shared, List<RingKey> peers, List<string> problems)
    {
        if (!options.Elects || shared || options.ClusterSecretFile is not null || !(signs || peers.Count > 0))
        {
            return;
        }

        if (!signs && options.NodeKeyFile is null)
        {
            problems.Add($"{HaKeys.PeerKeys} lets this node believe others, but it has no key to sign with; set {HaKeys.NodeKey}, {HowToMakeOne}.");
        }

        var others = peers.Select(entry => entry.NodeId).Where(id => id != options.NodeId).Distinct(StringComparer.Ordinal).Count();
        if (others < options.Peers.Count)
        {
            problems.Add(
                $"{HaKeys.PeerKeys} holds keys of {others} other nodes, but {HaKeys.Peers} names {options.Peers.Count}, and without {HaKeys.ClusterSecret} " +
                "a node without a key is never heard; add the missing ones as id=publickey.");
        }
    }
}
