using System.Security.Cryptography;
using Ha.Security;

namespace Ha.Tests.Signing.Keys;

public sealed class EcdsaKeyTests : KeyPairConformance
{
    private static readonly ECDsa _pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly ECDsa _otherPair = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    // RFC 9421 appendix B.1.3 (SEC1) and its public half.
    private const string RfcKey =
        """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIFKbhfNZfpDsW43+0+JjUr9K+bTeuxopu653+hBaXGA7oAoGCCqGSM49
        AwEHoUQDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM
        4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
        -----END EC PRIVATE KEY-----
        """;

    private const string RfcPublicKey =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==";

    protected override HaKeyAlgorithm Keys => EcdsaAlgorithm.Instance;

    protected override (string Pem, string Public) Pair => Text(_pair);

    protected override (string Pem, string Public) OtherPair => Text(_otherPair);

    [Fact]
    public void The_signature_of_RFC_9421_appendix_B_2_4_is_valid()
    {
        var lines = new SignatureBase(new byte[SignatureBase.MaxBytes]);
        lines.Component("\"@status\"", "200");
        lines.Component("\"content-type\"", "application/json");
        lines.Component("\"content-digest\"", "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:");
        lines.Component("\"content-length\"", "23");
        lines.SignatureParams("(\"@status\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-ecc-p256\"");
        var signature = Convert.FromBase64String("wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==");
        var key = Keys.ReadPublicKey(Convert.FromBase64String(RfcPublicKey))!;

        Assert.True(lines.Valid);
        Assert.True(key.Verify(lines.Written, signature));
        signature[63] ^= 1;
        Assert.False(key.Verify(lines.Written, signature));
    }

    [Fact]
    public void A_key_in_the_older_form_is_read_with_its_curve_parameters_before_it()
    {
        const string Parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        var key = Keys.ReadPrivateKey(KeyText.Decode(Parameters + RfcKey)!)!;

        Assert.Equal(RfcPublicKey, key.PublicKey);
        Assert.True(Keys.ReadPublicKey(Convert.FromBase64String(RfcPublicKey))!.Verify("x"u8, Sign(key, "x"u8)));
    }

    [Fact]
    public void Other_curves_are_refused()
    {
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);

        Assert.Null(Keys.ReadPrivateKey(p384.ExportPkcs8PrivateKey()));
        Assert.Null(Keys.ReadPublicKey(p384.ExportSubjectPublicKeyInfo()));
    }

    private static (string Pem, string Public) Text(ECDsa pair) =>
        (pair.ExportPkcs8PrivateKeyPem() + "\n", Convert.ToBase64String(pair.ExportSubjectPublicKeyInfo()));
}
