namespace Ha.Configuration;

/// <summary>
/// Reads the secrets that stand in files, once, at start. Messages name the variable and what happened, never what
/// stands in the file.
/// </summary>
internal static class SecretFiles
{
    /// <summary>A secret is a line, not a disk: whatever is larger was named by mistake.</summary>
    public const int MaxBytes = 64 * 1024;

    private static readonly char[] _separators = [',', '\r', '\n'];

    public static void ReadInto(HaOptions options)
    {
        if (options.FilesRead)
        {
            return;
        }

        options.FilesRead = true;
        var problems = options.Malformed;
        if (options.ClusterSecretFile is { } secretFile)
        {
            foreach (var secret in Read(HaKeys.ClusterSecretFile, secretFile, HaKeys.ClusterSecret, options.ClusterSecrets.Count > 0, problems))
            {
                options.ClusterSecrets.Add(secret);
            }
        }

        if (options.AdminTokenFile is { } tokenFile)
        {
            var tokens = Read(HaKeys.AdminTokenFile, tokenFile, HaKeys.AdminToken, options.AdminToken is not null, problems);
            if (tokens.Length > 1)
            {
                problems.Add($"{HaKeys.AdminTokenFile} ({Shown(tokenFile)}) holds {tokens.Length} tokens; leave one.");
            }

            options.AdminToken ??= tokens.FirstOrDefault();
        }
    }

    private static string[] Read(string key, string path, string inlineKey, bool inlineIsSet, List<string> problems)
    {
        if (inlineIsSet)
        {
            problems.Add($"{key} ({Shown(path)}) and {inlineKey} are both set; remove one of them.");
            return [];
        }

        if (Open(path, out var content) is { } why)
        {
            problems.Add($"{key} ({Shown(path)}) {why}.");
            return [];
        }

        var entries = content.Split(_separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (entries.Length == 0)
        {
            problems.Add($"{key} ({Shown(path)}) names an empty file; write the secret into it.");
        }

        return entries;
    }

    private static string? Open(string path, out string content)
    {
        content = "";
        try
        {
            using var file = File.OpenRead(path);
            using var reader = new StreamReader(file);
            var buffer = new char[MaxBytes + 1];
            var length = reader.ReadBlock(buffer);
            content = new string(buffer, 0, length);
            return length > MaxBytes ? $"names a file of more than {MaxBytes / 1024} KiB; name a file that holds only the secret" : null;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return "names a file that does not exist; create it or correct the path";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return $"names a file that cannot be read ({error.GetType().Name}); let the account of this process read it";
        }
    }

    // Whoever puts the secret itself where a path belongs must not find it in the log.
    private static string Shown(string path) =>
        Path.IsPathRooted(path) || path.StartsWith('.') ? path : $"{path.Length} characters";
}
