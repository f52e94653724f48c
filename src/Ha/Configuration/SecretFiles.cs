using Ha.Security;

namespace Ha.Configuration;

/// <summary>
/// The secrets that stand in files. Messages name the variable and what happened, never what stands in the file.
/// </summary>
internal static class SecretFiles
{
    private static readonly char[] _separators = [',', '\r', '\n'];

    /// <returns>Null when there is none, or when the secret stands in the options too, which is a problem.</returns>
    public static NamedFile? Find(string key, string? path, string inlineKey, bool inlineIsSet, List<string> problems)
    {
        var file = NamedFile.From(key, path);
        if (file is null || !inlineIsSet)
        {
            return file;
        }

        problems.Add($"{file} and {inlineKey} are both set; remove one of them.");
        return null;
    }

    /// <returns>One for each line and comma; without any a problem was added.</returns>
    public static string[] Entries(NamedFile file, Func<string, SecretText> read, List<string> problems) =>
        file.Read(read, problems)?.Split(_separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
