using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Ha.Security;

/// <summary>
/// Authorities to check others against, and the certificate to show them, loaded and checked. Immutable; left to the
/// garbage collector, because connections outlive the one they were made with.
/// </summary>
internal sealed class TlsMaterial : IFileContent<TlsMaterial>
{
    private readonly X509Certificate2Collection? _authorities;
    private readonly SslStreamCertificateContext? _identity;
    private readonly byte[] _hash;

    private TlsMaterial(X509Certificate2Collection? authorities, SslStreamCertificateContext? identity, byte[] hash) =>
        (_authorities, _identity, _hash) = (authorities, identity, hash);

    /// <summary>Checks as the machine does, and shows nothing.</summary>
    public static TlsMaterial None { get; } = new(authorities: null, identity: null, hash: []);

    /// <summary>When the own certificate ends; null without one.</summary>
    public DateTimeOffset? ExpiresAt => _identity?.TargetCertificate.NotAfter.ToUniversalTime();

    /// <param name="caFile">The authorities; null: those that the machine trusts.</param>
    /// <param name="certificateFile">The certificate to show, and the way to its root; null: none.</param>
    /// <param name="keyFile">The certificate's key; null: it stands beside the certificate.</param>
    /// <param name="read">Reads one.</param>
    /// <param name="problems">Gets every problem, with the setting, the file and the remedy; never what is in a key file.</param>
    /// <returns>Null when there was a problem.</returns>
    public static TlsMaterial? Load(
        NamedFile? caFile, NamedFile? certificateFile, NamedFile? keyFile, Func<string, SecretText> read, List<string> problems)
    {
        var before = problems.Count;
        var ca = PemFile.Read(caFile, read, problems);
        var certificate = PemFile.Read(certificateFile, read, problems);
        var key = keyFile is null ? certificate : PemFile.Read(keyFile, read, problems);
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
