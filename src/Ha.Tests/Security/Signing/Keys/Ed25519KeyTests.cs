using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using Ha.Security;
using Ha.Tests.Support;

namespace Ha.Tests.Security.Signing.Keys;

public sealed class Ed25519KeyTests : KeyConformance
{
    /// <summary>RFC 8032 section 7.1: TEST 1, TEST 2, TEST 3 and TEST SHA(abc).</summary>
    private static readonly (string Secret, string Public, string Message, string Signature)[] _vectors =
    [
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
        ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
    ];

    // RFC 9421 appendix B.1.4.
    private const string RfcKey = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
    private const string RfcPublicKey = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

    private static readonly byte[] _body = "{}"u8.ToArray();
    private static readonly string _pem = Pem(RfcKey);

    // The second pair of RFC 8032 section 7.1 in the same form.
    private static readonly string _otherPem = Pem(Convert.ToBase64String(Pkcs8(_vectors[1].Secret)));
    private static readonly string _otherPublic = Convert.ToBase64String(Spki(_vectors[1].Public));

    private protected override HaKey Key { get; } = ReadPrivate(_pem);

    private protected override HaKey Verifier { get; } = Ed25519Key.ReadPublic(Convert.FromBase64String(RfcPublicKey))!;

    private protected override HaKey OtherKey { get; } = ReadPrivate(_otherPem);

    protected override string Algorithm => "ed25519";

    protected override int SignatureBytes => 64;

    protected override IEnumerable<string> SecretTexts
    {
        get
        {
            var der = KeyText.Decode(_pem)!;
            return [Convert.ToBase64String(der)[..^4], Convert.ToHexStringLower(der), Convert.ToHexStringLower(der.AsSpan(der.Length / 3, 16))];
        }
    }

    [Fact]
    public void The_vectors_of_RFC_8032_come_out() => Assert.All(_vectors, vector =>
    {
        var signer = Ed25519Key.ReadPrivate(Pkcs8(vector.Secret))!;
        var verifier = Ed25519Key.ReadPublic(Spki(vector.Public))!;
        var message = Convert.FromHexString(vector.Message);

        Assert.Equal(Convert.ToBase64String(Spki(vector.Public)), signer.PublicKey);
        Assert.Equal(vector.Signature, Convert.ToHexStringLower(signer.Sign(message)));
        Assert.True(verifier.Verify(message, Convert.FromHexString(vector.Signature)));
        Assert.False(verifier.Verify([.. message, 0], Convert.FromHexString(vector.Signature)));
    });

    [Fact]
    public void The_signature_of_RFC_9421_appendix_B_2_6_comes_out_and_is_valid()
    {
        var lines = SignatureBase.Build(
            "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
            ("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("\"@method\"", "POST"),
            ("\"@path\"", "/foo"),
            ("\"@authority\"", "example.com"),
            ("\"content-type\"", "application/json"),
            ("\"content-length\"", "18"));
        var signature = Convert.FromBase64String("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==");

        Assert.NotNull(lines);
        Assert.Equal(Convert.ToBase64String(signature), Convert.ToBase64String(Key.Sign(lines)));
        Assert.True(Verifier.Verify(lines, signature));
        signature[63] ^= 1;
        Assert.False(Verifier.Verify(lines, signature));
    }

    /// <summary>S and S + L prove the same to a verifier that does not look (RFC 8032 section 5.1.7).</summary>
    [Fact]
    public void A_signature_has_one_form()
    {
        var signature = Key.Sign(_body);
        var order = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);
        var s = new BigInteger(signature.AsSpan(32), isUnsigned: true) + order;
        byte[] other = [.. signature.AsSpan(0, 32), .. s.ToByteArray(isUnsigned: true)];

        Assert.Equal(signature.Length, other.Length);
        Assert.True(Verifier.Verify(_body, signature));
        Assert.False(Verifier.Verify(_body, other));
    }

    /// <summary>Points of small order: with them, the sum that a verifier checks holds for any message and these signatures.</summary>
    [Theory]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    public void A_key_that_would_fit_every_message_fits_none(string point)
    {
        var key = Ed25519Key.ReadPublic(Spki(point))!;

        for (byte i = 0; i < 32; i++)
        {
            Assert.False(key.Verify([i], Convert.FromHexString(point + new string('0', 64))));
            Assert.False(key.Verify([i], Convert.FromHexString("01" + new string('0', 126))));
        }
    }

    /// <summary>2^255 - 19 and more: each would be a second name of a smaller coordinate.</summary>
    [Theory]
    [InlineData("ec", true)]
    [InlineData("ed", false)]
    [InlineData("ee", false)]
    [InlineData("ff", false)]
    public void A_public_key_has_one_encoding(string first, bool accepted)
    {
        foreach (var last in new[] { "7f", "ff" })
        {
            Assert.Equal(accepted, Ed25519Key.ReadPublic(Spki(first + new string('f', 60) + last)) is not null);
        }

        Assert.NotNull(Ed25519Key.ReadPublic(Spki(first + new string('f', 58) + "fe7f")));
        Assert.NotNull(Ed25519Key.ReadPublic(Spki(first + new string('f', 60) + "7e")));
    }

    /// <summary>Whoever took the public key out of version 2 (RFC 5958) could be made to sign with a pair that is none.</summary>
    [Fact]
    public void A_private_key_has_one_encoding()
    {
        var seed = _vectors[0].Secret;
        string[] others =
        [
            "3081" + "2e020100300506032b657004220420" + seed,
            "3030" + "020100300706032b65700500" + "04220420" + seed,
            "3051020101300506032b657004220420" + seed + "812100" + _vectors[0].Public,
            "302e020101300506032b657004220420" + seed,
            "04220420" + seed,
            seed,
        ];

        Assert.NotNull(Ed25519Key.ReadPrivate(Pkcs8(seed)));
        Assert.All(others, der => Assert.Null(Ed25519Key.ReadPrivate(Convert.FromHexString(der))));
    }

    [Fact]
    public void Keys_of_other_kinds_are_refused()
    {
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        byte[][] privates =
        [
            p256.ExportPkcs8PrivateKey(), p256.ExportECPrivateKey(), p384.ExportPkcs8PrivateKey(), rsa.ExportPkcs8PrivateKey(), rsa.ExportRSAPrivateKey(),
            X25519(Pkcs8(_vectors[0].Secret)),
        ];
        byte[][] publics = [p256.ExportSubjectPublicKeyInfo(), p384.ExportSubjectPublicKeyInfo(), rsa.ExportSubjectPublicKeyInfo(), X25519(Spki(_vectors[0].Public))];

        Assert.All(privates, der => Assert.Null(Ed25519Key.ReadPrivate(der)));
        Assert.All(publics, der => Assert.Null(Ed25519Key.ReadPublic(der)));

        // The same but for the last number of the object identifier, 1.3.101.110.
        static byte[] X25519(byte[] der)
        {
            der[der.AsSpan().IndexOf<byte>([0x2B, 0x65, 0x70]) + 2] = 0x6E;
            return der;
        }
    }

    [Fact]
    public void The_public_half_signs_nothing()
    {
        Assert.True(Key.CanSign);
        Assert.False(Verifier.CanSign);
        Assert.Throws<InvalidOperationException>(() => Verifier.Sign(_body));
    }

    [Fact]
    public void The_key_id_is_half_of_the_hash_of_the_public_key()
    {
        var hash = SHA256.HashData(Convert.FromBase64String(RfcPublicKey));

        Assert.Equal(Convert.ToHexStringLower(hash)[..32], Key.KeyId);
    }

    [Fact]
    public void A_private_key_may_be_written_on_one_line()
    {
        var body = string.Concat(_pem.Split('\n').Where(line => !line.StartsWith("-----", StringComparison.Ordinal)).Select(line => line.Trim()));
        string[] spellings =
        [
            _pem,
            _pem.Trim(),
            _pem.ReplaceLineEndings("\r\n"),
            _pem.ReplaceLineEndings("\\n"),
            _pem.ReplaceLineEndings(" "),
            $"a comment before it\n{_pem}",
            body,
            $" {body}\n",
        ];

        Assert.All(spellings, text => Assert.Equal(Key.KeyId, ReadPrivate(text).KeyId));
    }

    [Fact]
    public void Keys_that_are_none_are_refused()
    {
        var der = KeyText.Decode(_pem)!;
        byte[][] broken = [[], [0x30], [0x30, 0x00], der[..^1], [.. der, 0], new byte[der.Length], Convert.FromBase64String(RfcPublicKey)];
        Assert.All(broken, bytes => Assert.Null(Ed25519Key.ReadPrivate(bytes)));

        var spki = Convert.FromBase64String(RfcPublicKey);
        broken = [[], [0x30], [0x30, 0x00], spki[..^1], [.. spki, 0], new byte[spki.Length], der];
        Assert.All(broken, bytes => Assert.Null(Ed25519Key.ReadPublic(bytes)));
    }

    [Fact]
    public void Random_bytes_are_no_key_and_do_not_throw()
    {
        var random = new Random(8032);
        foreach (var der in new[] { KeyText.Decode(_pem)!, Convert.FromBase64String(RfcPublicKey) })
        {
            for (var i = 0; i < 500; i++)
            {
                var mutated = der.ToArray();
                mutated[random.Next(mutated.Length)] ^= (byte)(1 << random.Next(8));
                var read = random.Next(2) == 0 ? Ed25519Key.ReadPrivate(mutated) : Ed25519Key.ReadPublic(mutated);
                Assert.True(read is null || read.KeyId.Length == 32, string.Create(CultureInfo.InvariantCulture, $"input {i}"));
            }
        }
    }

    [Fact]
    public void Settings_make_a_ring_that_signs_with_the_nodes_own_key()
    {
        var options = Options("node-1", _pem, $"node-1={RfcPublicKey}", $"node-2={_otherPublic}");
        var ring = Rings.Of(options);

        Assert.Empty(TestSettings.Problems(options));
        Assert.Equal((Key.KeyId, 2), (ring.Signer!.KeyId, ring.Count));
        Assert.True(ring.TryFind(OtherKey.KeyId, out var other));
        Assert.Equal((true, false, "node-2"), (other.MaySpeakFor("node-2"), other.MaySpeakFor("node-1"), other.NodeId));
    }

    [Fact]
    public void Anothers_public_key_for_this_node_stops_the_start()
    {
        var problem = Assert.Single(TestSettings.Problems(Options("node-1", _pem, $"node-1={_otherPublic}")));
        Assert.StartsWith("BASE_PEER_KEYS (node-1) is not the public half of BASE_NODE_KEY", problem, StringComparison.Ordinal);
        Assert.Contains($"node-1={RfcPublicKey}", problem, StringComparison.Ordinal);

        problem = Assert.Single(TestSettings.Problems(Options("node-1", _pem, $"node-2={RfcPublicKey}")));
        Assert.StartsWith("BASE_PEER_KEYS (node-2) is this node's own key", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void No_message_shows_a_private_key()
    {
        var body = Convert.ToBase64String(KeyText.Decode(_pem)!);
        string[] entries = [$"node-2={body}", body, $"={body}", $"node 2={body}"];
        foreach (var entry in entries)
        {
            AssertHidden(TestSettings.Problems(Options("node-1", _otherPem, entry)));
        }

        foreach (var key in new[] { body[..^8], $"x{body}", _pem.Replace("PRIVATE", "SECRET", StringComparison.Ordinal), _pem[..^30] })
        {
            AssertHidden(TestSettings.Problems(Options("node-1", key, $"node-2={RfcPublicKey}")));
        }

        void AssertHidden(IReadOnlyList<string> problems)
        {
            Assert.NotEmpty(problems);
            Assert.DoesNotContain(body.AsSpan(body.Length / 3, 12).ToString(), string.Join(' ', problems), StringComparison.Ordinal);
            Assert.DoesNotContain(body[^16..], string.Join(' ', problems), StringComparison.Ordinal);
        }
    }

    private static HaKey ReadPrivate(string text) => Ed25519Key.ReadPrivate(KeyText.Decode(text)!)!;

    private static HaOptions Options(string nodeId, string nodeKey, params string[] peerKeys)
    {
        var options = new HaOptions { NodeId = nodeId, LocalTarget = "http://a", NodeKey = nodeKey };
        options.Peers.Add("http://b");
        foreach (var entry in peerKeys)
        {
            options.PeerKeys.Add(entry);
        }

        return options;
    }

    private static string Pem(string base64) => $"-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n";

    // RFC 8410: fixed headers before 32 bytes.
    private static byte[] Pkcs8(string secret) => Convert.FromHexString("302e020100300506032b657004220420" + secret);

    private static byte[] Spki(string publicKey) => Convert.FromHexString("302a300506032b6570032100" + publicKey);
}
