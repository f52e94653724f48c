using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ha.Tests.Support;

/// <summary>A private certificate authority with a folder of its own, as an operator has one.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-tls-");
    private readonly X509Certificate2 _root;
    private int _issued;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=test authority {Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        _root = request.CreateSelfSigned(now.AddDays(-2), now.AddDays(2));
        File = Write("ca.pem", _root.ExportCertificatePem());
    }

    public string Folder => _folder.FullName;

    /// <summary>The certificate of the authority, as for <c>BASE_CA_FILE</c>.</summary>
    public string File { get; }

    public X509Certificate2 Root => _root;

    /// <summary>Trust in one authority alone, for servers and clients alike.</summary>
    public static X509ChainPolicy Policy(X509Certificate2 root) => new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        CustomTrustStore = { root },
        RevocationMode = X509RevocationMode.NoCheck,
    };

    /// <param name="name">A DNS name or an IP address.</param>
    /// <param name="usages">OIDs of the extended key usage; none: for servers and clients.</param>
    /// <param name="expired">True: it ended yesterday.</param>
    /// <param name="alias">Another DNS name; null: none.</param>
    public IssuedCertificate Issue(string name, string[]? usages = null, bool expired = false, string? alias = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(name);
        }

        if (alias is not null)
        {
            names.AddDnsName(alias);
        }

        request.CertificateExtensions.Add(names.Build());
        var oids = new OidCollection();
        foreach (var usage in usages ?? ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])
        {
            oids.Add(new Oid(usage));
        }

        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(oids, critical: false));
        var now = TimeProvider.System.GetUtcNow();
        var number = Interlocked.Increment(ref _issued);
        using var issued = request.Create(_root, now.AddDays(-2), now.AddDays(expired ? -1 : 1), BitConverter.GetBytes(number));
        return new IssuedCertificate(
            Write($"{number}.crt", issued.ExportCertificatePem()), Write($"{number}.key", key.ExportPkcs8PrivateKeyPem()));
    }

    public string Write(string name, string text)
    {
        var path = Path.Combine(_folder.FullName, name);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    public void Dispose()
    {
        _root.Dispose();
        _folder.Delete(recursive: true);
    }
}

/// <param name="File">PEM, as for <c>BASE_CLIENT_CERT_FILE</c>.</param>
/// <param name="KeyFile">PEM, as for <c>BASE_CLIENT_KEY_FILE</c>.</param>
internal sealed record IssuedCertificate(string File, string KeyFile)
{
    /// <summary>With its key, for a server.</summary>
    public X509Certificate2 Load() => X509Certificate2.CreateFromPemFile(File, KeyFile);
}
