using System.Security.Cryptography;
using Ha.Tests.Security.Signing;

namespace Ha.Tests.Configuration;

public sealed class KeyRulesTests : IDisposable
{
    private static readonly string _all = string.Join(',', new[] { "n1", "n2", "n3" }.Select(NodeKeys.EntryOf));
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-keys-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Node_keys_stand_in_for_a_secret_and_beside_one() =>
        Assert.All(
            [
                KeyCluster(),
                KeyCluster(("BASE_CLUSTER_SECRET", Settings.Secret)),
                KeyCluster(("BASE_CLUSTER_SECRET", Settings.Secret), ("BASE_NODE_KEY", "")),
                KeyCluster(("BASE_CLUSTER_SECRET", Settings.Secret), ("BASE_PEER_KEYS", "")),
                KeyCluster(("BASE_PEER_KEYS", $"{NodeKeys.EntryOf("n2")},{NodeKeys.EntryOf("n3")}")),
                KeyCluster(("BASE_NODE_KEY", ""), ("BASE_NODE_KEY_FILE", Write(NodeKeys.PrivateOf("n1")))),
            ],
            variables => Assert.Empty(Settings.Problems(variables)));

    [Theory]
    [InlineData("secret")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END")]
    [InlineData("-----BEGIN CERTIFICATE-----\nMIGH\n-----END CERTIFICATE-----")]
    public void A_node_key_in_no_known_form_is_refused(string text) => Assert.Equal(
        $"BASE_NODE_KEY ({text.Length} characters) is neither PEM nor the base64 of a PKCS#8 key; make one with: openssl genpkey -algorithm ed25519.",
        ProblemWith(("BASE_NODE_KEY", text)));

    [Fact]
    public void A_node_key_of_another_kind_or_form_is_refused_and_not_shown()
    {
        using var rsa = RSA.Create(2048);
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        const string Parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        string[] keys =
        [
            rsa.ExportPkcs8PrivateKeyPem(), rsa.ExportRSAPrivateKeyPem(), p256.ExportPkcs8PrivateKeyPem(), Parameters + p256.ExportECPrivateKeyPem(),
            p384.ExportPkcs8PrivateKeyPem(), Convert.ToBase64String(p256.ExportPkcs8PrivateKey()), Convert.ToBase64String(p384.ExportECPrivateKey()),
            PemEncoding.WriteString("OPENSSH PRIVATE KEY", "openssh-key-v1"u8),
        ];
        Assert.All(keys, text => Assert.Equal(
            $"BASE_NODE_KEY ({text.Length} characters) is not an Ed25519 key in PKCS#8; make one with: openssl genpkey -algorithm ed25519.",
            ProblemWith(("BASE_NODE_KEY", text))));
    }

    [Fact]
    public void A_peer_key_of_another_kind_is_refused()
    {
        using var rsa = RSA.Create(2048);
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[][] keys = [rsa.ExportSubjectPublicKeyInfo(), p256.ExportSubjectPublicKeyInfo(), p256.ExportPkcs8PrivateKey()];
        Assert.All(keys, der => Assert.Equal(
            "BASE_PEER_KEYS (n2) is not followed by the base64 of an Ed25519 public key; print it with: openssl pkey -in node.key -pubout -outform DER | openssl base64 -A.",
            ProblemWith(("BASE_PEER_KEYS", $"n2={Convert.ToBase64String(der)}"))));
    }

    [Fact]
    public void An_encrypted_and_a_public_key_are_named_as_what_they_are()
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var encrypted = pair.ExportEncryptedPkcs8PrivateKeyPem("x", new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1));

        Assert.Contains("is encrypted", ProblemWith(("BASE_NODE_KEY", encrypted)), StringComparison.Ordinal);
        Assert.Contains("is a public key; give the private one", ProblemWith(("BASE_NODE_KEY", NodeKeys.EntryOf("n1")[3..])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n2", "(entry 1, 2 characters) is not of the form id=publickey")]
    [InlineData("=AAAA", "(entry 1, 5 characters) is not of the form id=publickey")]
    [InlineData("n 2=AAAA", "(entry 1, 8 characters) is not of the form id=publickey")]
    [InlineData("n2=AAAA", "(n2) is not followed by the base64 of an Ed25519 public key")]
    [InlineData("n2=!", "(n2) is not followed by the base64 of an Ed25519 public key")]
    [InlineData("a=b=AAAA==", "(a=b) is not followed by the base64 of an Ed25519 public key")]
    public void Peer_keys_that_cannot_be_read_are_named_by_id_or_place(string entry, string expected) =>
        Assert.StartsWith($"BASE_PEER_KEYS {expected}", ProblemWith(("BASE_PEER_KEYS", entry)), StringComparison.Ordinal);

    [Fact]
    public void A_private_key_among_the_public_ones_is_called_out_and_not_shown()
    {
        var der = Convert.ToBase64String(Ha.Security.KeyText.Decode(NodeKeys.PrivateOf("n2"))!);
        var problem = ProblemWith(("BASE_PEER_KEYS", $"n2={der}"));

        Assert.StartsWith("BASE_PEER_KEYS (n2) is followed by a private key, which now is known", problem, StringComparison.Ordinal);
        Assert.DoesNotContain(der[40..60], problem, StringComparison.Ordinal);
    }

    [Fact]
    public void One_key_for_two_nodes_would_let_each_speak_for_the_other() => Assert.Equal(
        "BASE_PEER_KEYS gives one key to n2 and n3; make a key for each node.",
        ProblemWith(("BASE_PEER_KEYS", $"{NodeKeys.EntryOf("n2")},{NodeKeys.EntryOf("n2").Replace("n2=", "n3=", StringComparison.Ordinal)}")));

    [Fact]
    public void A_node_without_a_key_to_sign_with_is_refused() => Assert.StartsWith(
        "BASE_PEER_KEYS lets this node believe others, but it has no key to sign with; set BASE_NODE_KEY",
        ProblemWith(("BASE_NODE_KEY", "")),
        StringComparison.Ordinal);

    [Fact]
    public void A_member_without_a_key_would_never_be_heard() => Assert.StartsWith(
        "BASE_PEER_KEYS holds keys of 1 other nodes, but BASE_PEERS names 2, and without BASE_CLUSTER_SECRET",
        ProblemWith(("BASE_PEER_KEYS", $"{NodeKeys.EntryOf("n1")},{NodeKeys.EntryOf("n2")}")),
        StringComparison.Ordinal);

    [Fact]
    public void More_keys_than_members_are_fine_and_too_many_are_not()
    {
        Assert.Empty(Settings.Problems(KeyCluster(("BASE_PEER_KEYS", $"{_all},{NodeKeys.EntryOf("n4")},{_all}"))));
        Assert.Equal(
            "BASE_PEER_KEYS holds 257 keys; use at most 256.",
            ProblemWith(("BASE_PEER_KEYS", string.Join(',', Enumerable.Repeat(NodeKeys.EntryOf("n2"), 257)))));
    }

    [Fact]
    public void A_missing_key_file_is_the_only_problem_named()
    {
        var path = Path.Combine(_folder.FullName, "missing");
        Assert.Equal(
            $"BASE_NODE_KEY_FILE ({path}) names a file that does not exist; create it or correct the path.",
            ProblemWith(("BASE_NODE_KEY", ""), ("BASE_NODE_KEY_FILE", path)));
        Assert.EndsWith(
            "and BASE_NODE_KEY are both set; remove one of them.", ProblemWith(("BASE_NODE_KEY_FILE", Write("x"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_asked_of_keys_where_nobody_is_elected() =>
        Assert.Empty(Settings.Problems(KeyCluster(("BASE_STATIC_LEADER", "http://a:1"), ("BASE_NODE_KEY", ""))));

    private static string ProblemWith(params (string Key, string? Value)[] changes) => Assert.Single(Settings.Problems(KeyCluster(changes)));

    private static (string Key, string? Value)[] KeyCluster(params (string Key, string? Value)[] changes) =>
        Settings.Cluster([("BASE_CLUSTER_SECRET", ""), ("BASE_NODE_KEY", NodeKeys.PrivateOf("n1")), ("BASE_PEER_KEYS", _all), .. changes]);

    private string Write(string content)
    {
        var path = Path.Combine(_folder.FullName, Path.GetRandomFileName());
        File.WriteAllText(path, content);
        return path;
    }
}
