using System.Globalization;
using Ha.Security;
using Ha.Tests.Support;

namespace Ha.Tests.Signing.Keys;

/// <summary>What the keys of every algorithm with a private and a public half must do beside <see cref="KeyConformance"/>.</summary>
public abstract class KeyPairConformance : KeyConformance
{
    private static readonly byte[] _body = "{}"u8.ToArray();

    protected abstract HaKeyAlgorithm Keys { get; }

    /// <summary>PEM PKCS#8, as openssl writes it, and the public half as base64 of SubjectPublicKeyInfo.</summary>
    protected abstract (string Pem, string Public) Pair { get; }

    /// <summary>Another pair of the algorithm.</summary>
    protected abstract (string Pem, string Public) OtherPair { get; }

    protected override HaKey Key => ReadPrivate(Pair.Pem);

    protected override HaKey Verifier => Keys.ReadPublicKey(Convert.FromBase64String(Pair.Public))!;

    protected override HaKey OtherKey => ReadPrivate(OtherPair.Pem);

    protected override string Algorithm => Keys.Name;

    protected override IEnumerable<string> SecretTexts
    {
        get
        {
            var der = KeyText.Decode(Pair.Pem)!;
            yield return Convert.ToBase64String(der)[..^4];
            yield return Convert.ToHexStringLower(der);

            // The last line of a P-256 key is mostly the public half, so this is about the first.
            yield return Convert.ToHexStringLower(der.AsSpan(der.Length / 3, 16));
        }
    }

    [Fact]
    public void The_public_half_signs_nothing()
    {
        Assert.True(Key.CanSign);
        Assert.False(Verifier.CanSign);
        Assert.Throws<InvalidOperationException>(() => Sign(Verifier, _body));
    }

    [Fact]
    public void The_key_id_is_half_of_the_hash_of_the_public_key()
    {
        var hash = System.Security.Cryptography.SHA256.HashData(Convert.FromBase64String(Pair.Public));

        Assert.Equal(Convert.ToHexStringLower(hash)[..32], Key.KeyId);
    }

    [Fact]
    public void A_private_key_may_be_written_on_one_line()
    {
        var body = string.Concat(Pair.Pem.Split('\n').Where(line => !line.StartsWith("-----", StringComparison.Ordinal)).Select(line => line.Trim()));
        string[] spellings =
        [
            Pair.Pem,
            Pair.Pem.Trim(),
            Pair.Pem.ReplaceLineEndings("\r\n"),
            Pair.Pem.ReplaceLineEndings("\\n"),
            Pair.Pem.ReplaceLineEndings(" "),
            $"a comment before it\n{Pair.Pem}",
            body,
            $" {body}\n",
        ];

        Assert.All(spellings, text => Assert.Equal(Key.KeyId, ReadPrivate(text).KeyId));
    }

    [Fact]
    public void Keys_that_are_none_are_refused()
    {
        var der = KeyText.Decode(Pair.Pem)!;
        byte[][] broken = [[], [0x30], [0x30, 0x00], der[..^1], [.. der, 0], new byte[der.Length], Convert.FromBase64String(Pair.Public)];
        Assert.All(broken, bytes => Assert.Null(Keys.ReadPrivateKey(bytes)));

        var spki = Convert.FromBase64String(Pair.Public);
        broken = [[], [0x30], [0x30, 0x00], spki[..^1], [.. spki, 0], new byte[spki.Length], der];
        Assert.All(broken, bytes => Assert.Null(Keys.ReadPublicKey(bytes)));
    }

    [Fact]
    public void Random_bytes_are_no_key_and_do_not_throw()
    {
        var random = new Random(8032);
        foreach (var der in new[] { KeyText.Decode(Pair.Pem)!, Convert.FromBase64String(Pair.Public) })
        {
            for (var i = 0; i < 500; i++)
            {
                var mutated = der.ToArray();
                mutated[random.Next(mutated.Length)] ^= (byte)(1 << random.Next(8));
                var read = random.Next(2) == 0 ? Keys.ReadPrivateKey(mutated) : Keys.ReadPublicKey(mutated);
                Assert.True(read is null || read.KeyId.Length == 32, string.Create(CultureInfo.InvariantCulture, $"input {i}"));
            }
        }
    }

    [Fact]
    public void Settings_make_a_ring_that_signs_with_the_nodes_own_key()
    {
        var options = Options("node-1", Pair.Pem, $"node-1={Pair.Public}", $"node-2={OtherPair.Public}");
        var ring = Rings.Of(options);

        Assert.Equal((Key.KeyId, 2), (ring.Signer!.KeyId, ring.Count));
        Assert.True(ring.TryFind(OtherKey.KeyId, out var other));
        Assert.Equal((true, false, "node-2"), (other.MaySpeakFor("node-2"), other.MaySpeakFor("node-1"), other.NodeId));
    }

    [Fact]
    public void Anothers_public_key_for_this_node_stops_the_start()
    {
        var problem = Assert.Single(TestSettings.Problems(Options("node-1", Pair.Pem, $"node-1={OtherPair.Public}")));
        Assert.StartsWith("BASE_PEER_KEYS (node-1) is not the public half of BASE_NODE_KEY", problem, StringComparison.Ordinal);
        Assert.Contains($"node-1={Pair.Public}", problem, StringComparison.Ordinal);

        problem = Assert.Single(TestSettings.Problems(Options("node-1", Pair.Pem, $"node-2={Pair.Public}")));
        Assert.StartsWith("BASE_PEER_KEYS (node-2) is this node's own key", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void No_message_shows_a_private_key()
    {
        var body = Convert.ToBase64String(KeyText.Decode(Pair.Pem)!);
        string[] entries = [$"node-2={body}", body, $"={body}", $"node 2={body}"];
        foreach (var entry in entries)
        {
            AssertHidden(TestSettings.Problems(Options("node-1", OtherPair.Pem, entry)));
        }

        foreach (var key in new[] { body[..^8], $"x{body}", Pair.Pem.Replace("PRIVATE", "SECRET", StringComparison.Ordinal), Pair.Pem[..^30] })
        {
            AssertHidden(TestSettings.Problems(Options("node-1", key, $"node-2={Pair.Public}")));
        }

        void AssertHidden(IReadOnlyList<string> problems)
        {
            Assert.NotEmpty(problems);
            Assert.DoesNotContain(body.AsSpan(body.Length / 3, 12).ToString(), string.Join(' ', problems), StringComparison.Ordinal);
            Assert.DoesNotContain(body[^16..], string.Join(' ', problems), StringComparison.Ordinal);
        }
    }

    private HaKey ReadPrivate(string text) => Keys.ReadPrivateKey(KeyText.Decode(text)!)!;

    private HaOptions Options(string nodeId, string nodeKey, params string[] peerKeys)
    {
        var options = new HaOptions { NodeId = nodeId, LocalTarget = "http://a", NodeKey = nodeKey };
        options.Peers.Add("http://b");
        options.KeyAlgorithms.Add(Keys);
        foreach (var entry in peerKeys)
        {
            options.PeerKeys.Add(entry);
        }

        return options;
    }
}
