using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Ha.Security;

/// <summary>One file that a TLS setting names, and the rules for what may stand in it.</summary>
/// <param name="File">Which one.</param>
/// <param name="Text">What stands in it.</param>
internal sealed record PemFile(NamedFile File, string Text)
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    /// <returns>Null when there is no file or it cannot be read.</returns>
    public static PemFile? Read(NamedFile? file, Func<string, SecretText> read, List<string> problems) =>
        file?.Read(read, problems) is { } text ? new PemFile(file, text) : null;

    public static bool IsRoot(X509Certificate2 certificate) =>
        certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);

    /// <summary>The text form shows which file, never what is in it.</summary>
    public override string ToString() => File.ToString();

    public X509Certificate2Collection? Authorities(List<string> problems)
    {
        var all = Certificates(problems);
        if (all is not null && !all.Any(IsRoot))
        {
            problems.Add($"{File} holds no root certificate, only intermediate ones; add the certificate that signed itself.");
        }

        return all;
    }

    /// <summary>The first certificate with its key, and the others as the way to its root.</summary>
    public SslStreamCertificateContext? Identity(PemFile keyFile, List<string> problems)
    {
        if (Certificates(problems) is not { } chain || !keyFile.HoldsKey(isBesideCertificate: keyFile == this, problems))
        {
            return null;
        }

        var own = chain[0];
        if (own.Extensions.OfType<X509EnhancedKeyUsageExtension>().FirstOrDefault() is { } usage &&
            !usage.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == ClientAuthentication))
        {
            problems.Add($"{File} holds a certificate that is not for clients; make one whose extendedKeyUsage lists clientAuth.");
            return null;
        }

        try
        {
            using var joined = X509Certificate2.CreateFromPem(Text, keyFile.Text);
            chain.RemoveAt(0);

            // Without the detour Windows cannot use the key: it is not in a key store.
            var usable = X509CertificateLoader.LoadPkcs12(joined.Export(X509ContentType.Pkcs12), password: null);
            return SslStreamCertificateContext.Create(usable, chain, offline: true);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            problems.Add($"{keyFile.File} holds no private key of the certificate in {File}; name the key that it was made with.");
            return null;
        }
    }

    private X509Certificate2Collection? Certificates(List<string> problems)
    {
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPem(Text);
        }
        catch (CryptographicException)
        {
            all.Clear();
        }

        if (all.Count > 0)
        {
            return all;
        }

        problems.Add($"{File} holds no certificate in PEM; convert it: openssl x509 -inform der -in FILE -out FILE.pem.");
        return null;
    }

    private bool HoldsKey(bool isBesideCertificate, List<string> problems)
    {
        if (Text.Contains("BEGIN ENCRYPTED PRIVATE KEY", StringComparison.Ordinal) || Text.Contains("Proc-Type: 4,ENCRYPTED", StringComparison.Ordinal))
        {
            problems.Add($"{File} holds an encrypted key, and there is no setting for its password; write it without: openssl pkey -in FILE -out FILE.plain.");
            return false;
        }

        if (!Text.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
        {
            var remedy = isBesideCertificate ? "set BASE_CLIENT_KEY_FILE" : "convert it: openssl pkey -inform der -in FILE -out FILE.pem";
            problems.Add($"{File} holds no private key in PEM; {remedy}.");
            return false;
        }

        return true;
    }
}
