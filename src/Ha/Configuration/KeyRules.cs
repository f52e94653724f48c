using System.Text;
using Ha.Http;
using Ha.Security;

namespace Ha.Configuration;

/// <summary>
/// Loads the keys that keep strangers out, and says what is wrong with them. A message may show a public key, and of
/// everything else how long it is. Holds copies only: files are read again long after the start.
/// </summary>
internal sealed class KeyRules
{
    public const int MaxPeerKeys = 256;
    public const int MaxSecrets = 16;
    public const int MinSecretBytes = 16;

    public const string HowToMakeASecret = "make one with: openssl rand -base64 32";
    public const string StandIn =
        "is a command or a placeholder that nobody has run or filled in; write the output of: openssl rand -base64 32";

    private const string HowToMakeOne = "make one with: openssl genpkey -algorithm ed25519";
    private const string HowToShowIt = "print it with: openssl pkey -in node.key -pubout -outform DER | openssl base64 -A";

    private readonly string _nodeId;
    private readonly bool _insecure;
    private readonly Members _members;
    private readonly string[] _secrets;
    private readonly NamedFile? _secretFile;
    private readonly string? _nodeKey;
    private readonly NamedFile? _nodeKeyFile;
    private readonly string[] _peerKeys;

    private KeyRules(HaOptions options, Members members, List<string> problems)
    {
        (_nodeId, _insecure, _members) = (options.NodeId, options.Insecure, members);
        _secrets = [.. options.ClusterSecrets];
        _secretFile = SecretFiles.Find(
            HaKeys.ClusterSecretFile, options.ClusterSecretFile, HaKeys.ClusterSecret, _secrets.Length > 0, problems);
        _nodeKey = options.NodeKey;
        _nodeKeyFile = SecretFiles.Find(HaKeys.NodeKeyFile, options.NodeKeyFile, HaKeys.NodeKey, _nodeKey is not null, problems);
        _peerKeys = [.. options.PeerKeys];
    }

    /// <returns>Null when something is wrong.</returns>
    public static FileBacked<KeyRing>? Load(HaOptions options, Members members, Func<string, SecretText> read, List<string> problems)
    {
        var rules = new KeyRules(options, members, problems);
        rules.CheckPresence(problems);
        return FileBacked<KeyRing>.Load([rules._secretFile, rules._nodeKeyFile], rules.Build, read, problems);
    }

    /// <returns>The id in <c>id=publickey</c>; null when it is not of this form.</returns>
    public static string? OwnerOf(string entry)
    {
        // An id may contain '='; base64 has it at the end only.
        var split = entry.TrimEnd('=').LastIndexOf('=');
        return split > 0 && PlainName.IsValid(entry[..split]) ? entry[..split] : null;
    }

    /// <summary>
    /// Whether it stands for a secret, as <c>$(openssl rand -base64 32)</c> does: only a shell runs that, and what documents show is no
    /// secret.
    /// </summary>
    public static bool IsStandIn(string secret) =>
        secret.Contains("$(", StringComparison.Ordinal)
        || secret.Contains("${", StringComparison.Ordinal)
        || secret.Contains('`', StringComparison.Ordinal)
        || secret.AsSpan().Trim(" \t\"'") is ['<', .., '>'];

    private void CheckPresence(List<string> problems)
    {
        var hasKeys = _secrets.Length + _peerKeys.Length > 0 || _nodeKey is not null || _secretFile is not null || _nodeKeyFile is not null;
        if (_members.Elects && !hasKeys && !_insecure)
        {
            problems.Add(
                $"{HaKeys.ClusterSecret} is not set, so anyone who reaches this node could become its leader; set it to one value on every node, " +
                $"{HowToMakeASecret} (for a trial without signatures: {HaKeys.Insecure}=true).");
        }
    }

    private KeyRing Build(Func<string, SecretText> read, List<string> problems)
    {
        var secrets = _secretFile is null ? _secrets : SecretFiles.Entries(_secretFile, read, problems);
        var nodeKey = _nodeKeyFile is null ? _nodeKey : _nodeKeyFile.Read(read, problems);
        CheckSecrets(secrets, problems);

        var before = problems.Count;
        var keys = new List<RingKey>();
        var own = nodeKey is null ? null : ReadNodeKey(nodeKey, problems);
        if (own is not null)
        {
            keys.Add(new RingKey(own, _nodeId));
        }

        // After the node's own key, which signs as soon as it is there: the secret is then only accepted.
        keys.AddRange(secrets.Where(secret => !string.IsNullOrEmpty(secret)).Select(secret => new RingKey(new HmacKey(secret), null)));
        var shared = keys.Exists(entry => entry.NodeId is null);
        var peers = ReadPeerKeys(problems);
        keys.AddRange(peers);
        CheckOwn(own, peers, problems);
        if (problems.Count == before && _members.Elects && !shared && _secretFile is null && (nodeKey is not null || peers.Count > 0))
        {
            CheckOthers(signs: nodeKey is not null || _nodeKeyFile is not null, peers, problems);
        }

        return new KeyRing(keys, _insecure);
    }

    private void CheckSecrets(string[] secrets, List<string> problems)
    {
        var where = _secretFile?.Setting ?? HaKeys.ClusterSecret;
        if (secrets.Length > MaxSecrets)
        {
            problems.Add($"{where} holds {secrets.Length} secrets; use at most {MaxSecrets}.");
        }

        for (var i = 0; i < secrets.Length; i++)
        {
            var secret = secrets[i] ?? "";
            var bytes = Encoding.UTF8.GetByteCount(secret);
            var what = IsStandIn(secret) ? StandIn
                : bytes < MinSecretBytes ? $"is shorter than {MinSecretBytes} bytes; {HowToMakeASecret}"
                : null;
            if (what is not null)
            {
                var which = secrets.Length == 1 ? "" : $"secret {i + 1}, ";
                problems.Add($"{where} ({which}{bytes} bytes) {what}.");
            }
        }
    }

    private Ed25519Key? ReadNodeKey(string text, List<string> problems)
    {
        var where = _nodeKeyFile?.Setting ?? HaKeys.NodeKey;
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

    private List<RingKey> ReadPeerKeys(List<string> problems)
    {
        var keys = new List<RingKey>();
        if (_peerKeys.Length > MaxPeerKeys)
        {
            problems.Add($"{HaKeys.PeerKeys} holds {_peerKeys.Length} keys; use at most {MaxPeerKeys}.");
            return keys;
        }

        for (var i = 0; i < _peerKeys.Length; i++)
        {
            if (ReadPeerKey(_peerKeys[i] ?? "", i + 1, problems) is { } read && !keys.Contains(read))
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
        var id = OwnerOf(entry);
        if (id is null)
        {
            // What stands here may be anything, a private key included.
            problems.Add($"{HaKeys.PeerKeys} (entry {place}, {entry.Length} characters) is not of the form id=publickey; write the node's {HaKeys.NodeId}, '=', and its public key, {HowToShowIt}.");
            return null;
        }

        var der = KeyText.FromBase64(entry.AsSpan(id.Length + 1)) ?? [];
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

    private void CheckOwn(HaKey? own, List<RingKey> peers, List<string> problems)
    {
        if (own is null)
        {
            return;
        }

        var listed = peers.FindAll(entry => entry.NodeId == _nodeId);
        if (listed.Count > 0 && !listed.Exists(entry => entry.Key.KeyId == own.KeyId))
        {
            problems.Add(
                $"{HaKeys.PeerKeys} ({_nodeId}) is not the public half of {HaKeys.NodeKey}, so no other node would believe this one; " +
                $"on every node set {_nodeId}={own.PublicKey}, or correct {HaKeys.NodeKey}.");
        }

        if (peers.Find(entry => entry.Key.KeyId == own.KeyId && entry.NodeId != _nodeId) is { NodeId: { } other })
        {
            problems.Add($"{HaKeys.PeerKeys} ({other}) is this node's own key, but this node is {_nodeId}; make a key for each node, or correct {HaKeys.NodeId}.");
        }
    }

    /// <summary>Without a shared secret whoever has no key here is never heard.</summary>
    private void CheckOthers(bool signs, List<RingKey> peers, List<string> problems)
    {
        if (!signs)
        {
            problems.Add($"{HaKeys.PeerKeys} lets this node believe others, but it has no key to sign with; set {HaKeys.NodeKey}, {HowToMakeOne}.");
        }

        var others = peers.Select(entry => entry.NodeId).Where(id => id != _nodeId).Distinct(StringComparer.Ordinal).Count();
        if (others < _members.Peers.Count)
        {
            problems.Add(
                $"{HaKeys.PeerKeys} holds keys of {others} other nodes, but {HaKeys.Peers} names {_members.Peers.Count}, and without {HaKeys.ClusterSecret} " +
                "a node without a key is never heard; add the missing ones as id=publickey.");
        }
    }
}
