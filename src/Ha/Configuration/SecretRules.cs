using System.Text;

namespace Ha.Configuration;

/// <summary>What keeps strangers out. A message may say how long a secret is, never what it is.</summary>
internal static class SecretRules
{
    public const int MinBytes = 16;
    public const int MaxSecrets = 16;

    private const string HowToMakeOne = "make one with: openssl rand -base64 32";

    public static void Check(HaOptions options, List<string> problems)
    {
        var hasKeys = options.ClusterSecrets.Count + options.PeerKeys.Count > 0 || options.NodeKey is not null;
        var fileWasNamed = options.ClusterSecretFile is not null || options.NodeKeyFile is not null;
        if (options.Elects && !hasKeys && !fileWasNamed && !options.Insecure)
        {
            problems.Add(
                $"{HaKeys.ClusterSecret} is not set, so anyone who reaches this node could become its leader; set it to one value on every node, " +
                $"{HowToMakeOne} (for a trial without signatures: {HaKeys.Insecure}=true).");
        }

        CheckSecrets(options, options.ClusterSecrets, problems);
        CheckAdminToken(options, options.AdminToken, problems);
    }

    /// <param name="options">Says where the token comes from.</param>
    /// <param name="token">From there; null: none is set.</param>
    /// <param name="problems">What is wrong is added here.</param>
    public static void CheckAdminToken(HaOptions options, string? token, List<string> problems)
    {
        if (token is not null && (token.Length == 0 || token.Any(c => c is <= ' ' or > '~')))
        {
            var key = options.AdminTokenFile is null ? HaKeys.AdminToken : HaKeys.AdminTokenFile;
            problems.Add($"{key} ({token.Length} characters) must be printable ASCII without spaces, as it travels in a header; {HowToMakeOne}.");
        }
    }

    /// <param name="options">Says where the secrets come from.</param>
    /// <param name="secrets">From there.</param>
    /// <param name="problems">What is wrong is added here.</param>
    public static void CheckSecrets(HaOptions options, IList<string> secrets, List<string> problems)
    {
        var where = options.ClusterSecretFile is null ? HaKeys.ClusterSecret : HaKeys.ClusterSecretFile;
        if (secrets.Count > MaxSecrets)
        {
            problems.Add($"{where} holds {secrets.Count} secrets; use at most {MaxSecrets}.");
        }

        for (var i = 0; i < secrets.Count; i++)
        {
            var bytes = Encoding.UTF8.GetByteCount(secrets[i] ?? "");
            if (bytes < MinBytes)
            {
                var which = secrets.Count == 1 ? "" : $"secret {i + 1}, ";
                problems.Add($"{where} ({which}{bytes} bytes) is shorter than {MinBytes} bytes; {HowToMakeOne}.");
            }
        }
    }
}
