namespace Ha.Configuration;

/// <summary>
/// Reads the secrets that stand in files. Messages name the variable and what happened, never what stands in the file.
/// </summary>
internal static class SecretFiles
{
    /// <summary>A secret is a line, not a disk: whatever is larger was named by mistake.</summary>
    public const int MaxBytes = 64 * 1024;

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
            foreach (var secret in Entries(Read(HaKeys.ClusterSecretFile, secretFile, problems)))
            {
                options.ClusterSecrets.Add(secret);
            }
        }

        if (options.NodeKeyFile is { } keyFile && IsAlone(HaKeys.NodeKeyFile, keyFile, HaKeys.NodeKey, options.NodeKey is not null, problems))
        {
            options.NodeKey = Read(HaKeys.NodeKeyFile, keyFile, problems);
        }

        if (options.AdminTokenFile is { } tokenFile && IsAlone(HaKeys.AdminTokenFile, tokenFile, HaKeys.AdminToken, options.AdminToken is not null, problems))
        {
            var tokens = Entries(Read(HaKeys.AdminTokenFile, tokenFile, problems));
            if (tokens.Length > 1)
            {
                problems.Add($"{HaKeys.AdminTokenFile} ({Shown(tokenFile)}) holds {tokens.Length} tokens; leave one.");
            }

            options.AdminToken = tokens.FirstOrDefault();
        }
    }

    /// <returns>What stands in the file; null when there is nothing, and then a problem was added.</returns>
    public static string? Read(string key, string path, List<string> problems)
    {
        var why = Open(path, out var content) ??
            (content.AsSpan().ContainsAnyExcept(",\r\n\t ") ? null : "names an empty file; write the secret into it");
        if (why is not null)
        {
            problems.Add($"{key} ({Shown(path)}) {why}.");
        }

        return why is null ? content : null;
    }

    public static string[] Entries(string? content) =>
        content?.Split(_separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static bool IsAlone(string key, string path, string inlineKey, bool inlineIsSet, List<string> problems)
    {
        if (inlineIsSet)
        {
            problems.Add($"{key} ({Shown(path)}) and {inlineKey} are both set; remove one of them.");
        }

        return !inlineIsSet;
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
