using Ha.Security;
using Ha.Tests.Signing.Keys;

namespace Ha.NSec.Tests;

public sealed class Ed25519KeyTests : KeyPairConformance
{
    private static readonly HaOptions _options = new HaOptions().UseEd25519();

    // RFC 9421 appendix B.1.4, and the second pair of RFC 8032 section 7.1 in the same form.
    private const string RfcKey = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
    private const string RfcPublicKey = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

    protected override HaKeyAlgorithm Keys => Assert.Single(_options.KeyAlgorithms);

    protected override (string Pem, string Public) Pair => (Pem(RfcKey), RfcPublicKey);

    protected override (string Pem, string Public) OtherPair =>
        (Pem(Convert.ToBase64String(Pkcs8(Vectors[1].Secret))), Convert.ToBase64String(Spki(Vectors[1].Public)));

    /// <summary>RFC 8032 section 7.1: TEST 1, TEST 2, TEST 3 and TEST SHA(abc).</summary>
    private static (string Secret, string Public, string Message, string Signature)[] Vectors { get; } =
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

    [Fact]
    public void The_vectors_of_RFC_8032_come_out() => Assert.All(Vectors, vector =>
    {
        var signer = Keys.ReadPrivateKey(Pkcs8(vector.Secret))!;
        var verifier = Keys.ReadPublicKey(Spki(vector.Public))!;
        var message = Convert.FromHexString(vector.Message);

        Assert.Equal(Convert.ToBase64String(Spki(vector.Public)), signer.PublicKey);
        Assert.Equal(vector.Signature, Convert.ToHexStringLower(Sign(signer, message)));
        Assert.True(verifier.Verify(message, Convert.FromHexString(vector.Signature)));
        Assert.False(verifier.Verify([.. message, 0], Convert.FromHexString(vector.Signature)));
    });

    [Fact]
    public void The_signature_of_RFC_9421_appendix_B_2_6_comes_out()
    {
        var lines = new SignatureBase(new byte[SignatureBase.MaxBytes]);
        lines.Component("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT");
        lines.Component("\"@method\"", "POST");
        lines.Component("\"@path\"", "/foo");
        lines.Component("\"@authority\"", "example.com");
        lines.Component("\"content-type\"", "application/json");
        lines.Component("\"content-length\"", "18");
        lines.SignatureParams(
            "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"");

        Assert.Equal(
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
            Convert.ToBase64String(Sign(Key, lines.Written)));
    }

    [Fact]
    public void Without_the_line_that_turns_it_on_its_keys_are_refused()
    {
        var options = new HaOptions { NodeId = "node-1", LocalTarget = "http://a", NodeKey = Pem(RfcKey) };
        options.Peers.Add("http://b");
        options.PeerKeys.Add($"node-2={Convert.ToBase64String(Spki(Vectors[1].Public))}");

        var problems = Assert.Throws<Ha.Configuration.InvalidHaOptionsException>(() => Ha.Configuration.HaSettings.Parse(options)).Failures;

        Assert.Contains(problems, problem => problem.StartsWith("BASE_NODE_KEY (", StringComparison.Ordinal) && problem.Contains("Ha.NSec", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.StartsWith("BASE_PEER_KEYS (node-2)", StringComparison.Ordinal));
    }

    private static string Pem(string base64) => $"-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n";

    // RFC 8410: fixed headers before 32 bytes.
    private static byte[] Pkcs8(string secret) => Convert.FromHexString("302e020100300506032b657004220420" + secret);

    private static byte[] Spki(string publicKey) => Convert.FromHexString("302a300506032b6570032100" + publicKey);
}
