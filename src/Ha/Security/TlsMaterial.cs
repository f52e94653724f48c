using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Ha.Configuration;

namespace Ha.Security;

/// <summary>
/// What <c>BASE_CA_FILE</c>, <c>BASE_CLIENT_CERT_FILE</c> and <c>BASE_CLIENT_KEY_FILE</c> hold, loaded and checked.
/// Immutable; left to the garbage collector, because connections outlive the one they were made with.
/// </summary>
internal sealed class TlsMaterial
{
    private readonly X509Certificate2Collection? _authorities;
    private readonly SslStreamCertificateContext? _identity;
    private readonly byte[] _hash;

    private TlsMaterial(X509Certificate2Collection? authorities, SslStreamCertificateContext? identity, byte[] hash) =>
        (_authorities, _identity, _hash) = (authorities, identity, hash);

    /// <summary>The files that the settings name, each once.</summary>
    public static string[] Paths(HaOptions options) =>
        [.. new[] { options.CaFile, options.ClientCertFile, options.ClientKeyFile }.OfType<string>().Distinct(StringComparer.Ordinal)];

    /// <summary>When the own certificate ends; null without one.</summary>
    public DateTimeOffset? ExpiresAt => _identity?.TargetCertificate.NotAfter.ToUniversalTime();

    /// <param name="options">Names the files.</param>
    /// <param name="read">Reads one.</param>
    /// <param name="problems">Gets every problem, with the variable, the file and the remedy; never what is in a key file.</param>
    /// <returns>Null when there was a problem.</returns>
    public static TlsMaterial? Load(HaOptions options, Func<string, SecretText> read, List<string> problems)
    {
        var before = problems.Count;
        var ca = PemFile.Read(HaKeys.CaFile, options.CaFile, read, problems);
        var certificate = PemFile.Read(HaKeys.ClientCertFile, options.ClientCertFile, read, problems);
        var key = options.ClientKeyFile is null ? certificate : PemFile.Read(HaKeys.ClientKeyFile, options.ClientKeyFile, read, problems);
        if (problems.Count > before)
        {
            return null;
        }

        var authorities = ca?.Authorities(problems);
        var identity = certificate?.Identity(key!, problems);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{ca?.Text}\0{certificate?.Text}\0{key?.Text}"));
        return problems.Count > before ? null : new TlsMaterial(authorities, identity, hash);
    }

    public bool IsSameAs(TlsMaterial other) => _hash.AsSpan().SequenceEqual(other._hash);

    /// <summary>For one handler. The name to check is that of the URL, as always.</summary>
    public SslClientAuthenticationOptions ToOptions() => new()
    {
        ClientCertificateContext = _identity,
        CertificateChainPolicy = _authorities is null ? null : Policy(_authorities),
    };

    private static X509ChainPolicy Policy(X509Certificate2Collection authorities)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,

            // Private authorities seldom publish revocations; and what a stranger's certificate names is not fetched.
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        foreach (var authority in authorities)
        {
            (PemFile.IsRoot(authority) ? policy.CustomTrustStore : policy.ExtraStore).Add(authority);
        }

        return policy;
    }
}
