using Ha.Security;

namespace Ha.Configuration;

/// <summary>TLS between nodes: files that can be used, and members that they are used for.</summary>
internal static class TlsRules
{
    /// <param name="options">With normalised URLs.</param>
    /// <param name="problems">Gets every problem.</param>
    public static void Check(HaOptions options, List<string> problems)
    {
        if (options is { ClientKeyFile: { } key, ClientCertFile: null })
        {
            problems.Add(
                $"{HaKeys.ClientKeyFile} ({SecretText.Shown(key)}) is set but {HaKeys.ClientCertFile} is not; set it to the certificate of that key, or remove both.");
        }
        else
        {
            TlsMaterial.Load(options, SecretText.Read, problems);
        }

        var (variable, file) = options.CaFile is { } ca ? (HaKeys.CaFile, ca) : (HaKeys.ClientCertFile, options.ClientCertFile);
        IEnumerable<string> called = options.StaticLeader is { } leader ? [leader] : options.Peers;
        if (file is not null && called.Any() && !called.Any(url => url.StartsWith("https:", StringComparison.Ordinal)))
        {
            // Whoever names certificates believes that the members talk in secret.
            var targets = options.StaticLeader is null ? HaKeys.Peers : HaKeys.StaticLeader;
            problems.Add($"{variable} ({SecretText.Shown(file)}) is for https, but no URL in {targets} is; write https:// there and in {HaKeys.LocalTarget}, or remove it.");
        }
    }
}
