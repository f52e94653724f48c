using Ha.Security;

namespace Ha.Configuration;

/// <summary>TLS between nodes: files that can be used, and members that they are used for.</summary>
internal static class TlsRules
{
    /// <returns>Null when a file cannot be used.</returns>
    public static FileBacked<TlsMaterial>? Load(HaOptions options, Members members, Func<string, SecretText> read, List<string> problems)
    {
        var ca = NamedFile.From(HaKeys.CaFile, options.CaFile);
        var certificate = NamedFile.From(HaKeys.ClientCertFile, options.ClientCertFile);
        var key = NamedFile.From(HaKeys.ClientKeyFile, options.ClientKeyFile);
        FileBacked<TlsMaterial>? tls = null;
        if (key is not null && certificate is null)
        {
            problems.Add($"{key} is set but {HaKeys.ClientCertFile} is not; set it to the certificate of that key, or remove both.");
        }
        else
        {
            tls = FileBacked<TlsMaterial>.Load(
                [ca, certificate, key], (read, problems) => TlsMaterial.Load(ca, certificate, key, read, problems), read, problems);
        }

        IEnumerable<string> called = members.StaticLeader is { } leader ? [leader] : members.Peers;
        if ((ca ?? certificate) is { } file && called.Any() && !called.Any(url => url.StartsWith("https:", StringComparison.Ordinal)))
        {
            // Whoever names certificates believes that the members talk in secret.
            var targets = members.StaticLeader is null ? HaKeys.Peers : HaKeys.StaticLeader;
            problems.Add($"{file} is for https, but no URL in {targets} is; write https:// there and in {HaKeys.LocalTarget}, or remove it.");
        }

        return tls;
    }
}
