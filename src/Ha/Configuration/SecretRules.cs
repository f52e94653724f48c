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
        var elects = options.StaticLeader is null && options.Peers.Count > 0;
        var fileWasNamed = options.ClusterSecretFile is not null;
        if (elects && options.ClusterSecrets.Count == 0 && !options.Insecure && !fileWasNamed)
        {
            problems.Add(
                $"{HaKeys.ClusterSecret} is not set, so anyone who reaches this node could become its leader; set it to one value on every node, " +
                $"{HowToMakeOne} (for a trial without signatures: {HaKeys.Insecure}=true).");
        }

        var where = fileWasNamed ? HaKeys.ClusterSecretFile : HaKeys.ClusterSecret;
        if (options.ClusterSecrets.Count > MaxSecrets)
        {
            problems.Add($"{where} holds {options.ClusterSecrets.Count} secrets; use at most {MaxSecrets}.");
        }

        for (var i = 0; i < options.ClusterSecrets.Count; i++)
        {
            var bytes = Encoding.UTF8.GetByteCount(options.ClusterSecrets[i] ?? "");
            if (bytes < MinBytes)
            {
                var which = options.ClusterSecrets.Count == 1 ? "" : $"secret {i + 1}, ";
                problems.Add($"{where} ({which}{bytes} bytes) is shorter than {MinBytes} bytes; {HowToMakeOne}.");
            }
        }

        if (options.AdminToken is { } token && (token.Length == 0 || token.Any(c => c is <= ' ' or > '~')))
        {
            var key = options.AdminTokenFile is null ? HaKeys.AdminToken : HaKeys.AdminTokenFile;
            problems.Add($"{key} ({token.Length} characters) must be printable ASCII without spaces, as it travels in a header; {HowToMakeOne}.");
        }
    }
}
