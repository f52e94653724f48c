using Ha.Security;

namespace Ha.Configuration;

/// <summary>
/// The secrets that stand in files. Messages name the variable and what happened, never what stands in the file.
/// </summary>
internal static class SecretFiles
{
    private static readonly char[] _separators = [',', '\r', '\n'];

    /// <summary>Reads all of them into the options beside them, once.</summary>
    public static void ReadInto(HaOptions options)
    {
        if (options.FilesRead)
        {
            return;
        }

        options.FilesRead = true;
        var problems = options.Malformed;
        if (options.ClusterSecretFile is { } secretFile && IsAlone(HaKeys.ClusterSecretFile, secretFile, HaKeys.ClusterSecret, options.ClusterSecrets.Count > 0, problems))
        {
            foreach (var secret in Secrets(secretFile, SecretText.Read(secretFile), problems))
            {
                options.ClusterSecrets.Add(secret);
            }
        }

        if (options.NodeKeyFile is { } keyFile && IsAlone(HaKeys.NodeKeyFile, keyFile, HaKeys.NodeKey, options.NodeKey is not null, problems))
        {
            options.NodeKey = NodeKey(keyFile, SecretText.Read(keyFile), problems);
        }

        if (options.AdminTokenFile is { } tokenFile && IsAlone(HaKeys.AdminTokenFile, tokenFile, HaKeys.AdminToken, options.AdminToken is not null, problems))
        {
            options.AdminToken = AdminToken(tokenFile, SecretText.Read(tokenFile), problems);
        }
    }

    /// <summary>The secrets of <see cref="HaOptions.ClusterSecretFile"/>; when there is none a problem was added.</summary>
    public static string[] Secrets(string path, SecretText text, List<string> problems) =>
        Entries(HaKeys.ClusterSecretFile, path, text, problems);

    /// <summary>The key of <see cref="HaOptions.NodeKeyFile"/>; when it is null a problem was added.</summary>
    public static string? NodeKey(string path, SecretText text, List<string> problems) =>
        text.TryGet(HaKeys.NodeKeyFile, path, problems, out var key) ? key : null;

    /// <summary>The token of <see cref="HaOptions.AdminTokenFile"/>; when it is null a problem was added.</summary>
    public static string? AdminToken(string path, SecretText text, List<string> problems)
    {
        var tokens = Entries(HaKeys.AdminTokenFile, path, text, problems);
        if (tokens.Length > 1)
        {
            problems.Add($"{HaKeys.AdminTokenFile} ({SecretText.Shown(path)}) holds {tokens.Length} tokens; leave one.");
        }

        return tokens.FirstOrDefault();
    }

    private static string[] Entries(string key, string path, SecretText text, List<string> problems) =>
        text.TryGet(key, path, problems, out var content)
            ? content.Split(_separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [];

    private static bool IsAlone(string key, string path, string inlineKey, bool inlineIsSet, List<string> problems)
    {
        if (inlineIsSet)
        {
            problems.Add($"{key} ({SecretText.Shown(path)}) and {inlineKey} are both set; remove one of them.");
        }

        return !inlineIsSet;
    }
}
