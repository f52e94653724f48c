using Ha.Security;
using Ha.Tests.Support;

namespace Ha.Tests.Configuration;

/// <summary>Wrong TLS settings stop the start with the variable, the file and the remedy.</summary>
public sealed class TlsRulesTests : IDisposable
{
    private const string ServersOnly = "1.3.6.1.5.5.7.3.1";
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public void Sound_files_are_no_problem_and_the_key_may_stand_beside_its_certificate()
    {
        var own = _authority.Issue("n");
        var both = _authority.Write("both.pem", File.ReadAllText(own.File) + "\n" + File.ReadAllText(own.KeyFile));

        Assert.Empty(Settings.Problems(Cluster(("BASE_CA_FILE", _authority.File))));
        Assert.Empty(Settings.Problems(Cluster(("BASE_CLIENT_CERT_FILE", own.File), ("BASE_CLIENT_KEY_FILE", own.KeyFile))));
        Assert.Empty(Settings.Problems(Cluster(("BASE_CLIENT_CERT_FILE", both))));
        Assert.Empty(Settings.Problems(
            ("BASE_LOCAL_TARGET", "https://a:1"), ("BASE_STATIC_LEADER", "https://b:1"), ("BASE_CA_FILE", _authority.File)));
    }

    [Theory]
    [InlineData("BASE_CA_FILE")]
    [InlineData("BASE_CLIENT_CERT_FILE")]
    [InlineData("BASE_CLIENT_KEY_FILE")]
    public void A_file_that_is_missing_unreadable_or_huge_is_named(string key)
    {
        var missing = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Assert.Equal($"{key} ({missing}) names a file that does not exist; create it or correct the path.", ProblemOf(key, missing));
        Assert.Contains("cannot be read", ProblemOf(key, Path.GetTempPath()), StringComparison.Ordinal);
        Assert.Contains("more than 64 KiB", ProblemOf(key, _authority.Write("huge", new string('x', SecretText.MaxBytes + 1))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BASE_CA_FILE", "x", "holds no certificate in PEM; convert it: openssl x509 -inform der")]
    [InlineData("BASE_CA_FILE", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate in PEM")]
    [InlineData("BASE_CLIENT_CERT_FILE", "\0\u0001", "holds no certificate in PEM")]
    [InlineData("BASE_CLIENT_KEY_FILE", "x", "holds no private key in PEM; convert it: openssl pkey -inform der")]
    [InlineData("BASE_CLIENT_KEY_FILE", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "holds an encrypted key, and there is no setting for its password; write it without: openssl pkey")]
    [InlineData("BASE_CLIENT_KEY_FILE", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "holds no private key of the certificate in BASE_CLIENT_CERT_FILE")]
    public void A_file_that_holds_something_else_is_named_with_the_remedy(string key, string content, string expected)
    {
        var file = _authority.Write("wrong", content);
        var problem = ProblemOf(key, file);

        Assert.StartsWith($"{key} ({file}) {expected}", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("c2VjcmV0", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_of_another_certificate_is_refused() => Assert.Contains(
        "holds no private key of the certificate in BASE_CLIENT_CERT_FILE", ProblemOf("BASE_CLIENT_KEY_FILE", _authority.Issue("other").KeyFile), StringComparison.Ordinal);

    [Fact]
    public void A_certificate_without_its_key_asks_for_the_variable() => Assert.EndsWith(
        "holds no private key in PEM; set BASE_CLIENT_KEY_FILE.", ProblemOf("BASE_CLIENT_KEY_FILE", null), StringComparison.Ordinal);

    [Fact]
    public void A_certificate_for_servers_only_is_refused()
    {
        var own = _authority.Issue("n", [ServersOnly]);

        Assert.Contains("is not for clients; make one whose extendedKeyUsage lists clientAuth", Assert.Single(Settings.Problems(
            Cluster(("BASE_CLIENT_CERT_FILE", own.File), ("BASE_CLIENT_KEY_FILE", own.KeyFile)))), StringComparison.Ordinal);
    }

    [Fact]
    public void An_authority_that_signed_nothing_of_its_own_is_no_root() => Assert.Contains(
        "holds no root certificate, only intermediate ones", ProblemOf("BASE_CA_FILE", _authority.Issue("n").File), StringComparison.Ordinal);

    [Fact]
    public void A_key_alone_makes_no_sense() => Assert.Contains(
        "is set but BASE_CLIENT_CERT_FILE is not", ProblemOf("BASE_CLIENT_CERT_FILE", null), StringComparison.Ordinal);

    [Fact]
    public void Certificates_for_members_that_talk_in_clear_text_are_a_mistake() => Assert.Equal(
        $"BASE_CA_FILE ({_authority.File}) is for https, but no URL in BASE_PEERS is; write https:// there and in BASE_LOCAL_TARGET, or remove it.",
        Settings.ProblemOfCluster(("BASE_CA_FILE", _authority.File)));

    private static (string Key, string? Value)[] Cluster(params (string Key, string? Value)[] changes) =>
        Settings.Cluster([("BASE_LOCAL_TARGET", "https://a:1"), ("BASE_PEERS", "https://a:1,https://b:1,https://c:1"), .. changes]);

    private string ProblemOf(string key, string? value)
    {
        var own = _authority.Issue("n");
        return Assert.Single(Settings.Problems(Cluster(
            ("BASE_CA_FILE", _authority.File), ("BASE_CLIENT_CERT_FILE", own.File), ("BASE_CLIENT_KEY_FILE", own.KeyFile), (key, value))));
    }
}
