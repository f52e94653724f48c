using Ha.Security;

namespace Ha.Configuration;

/// <summary>Loads the administrator's token. A message may say how long it is, never what it is.</summary>
internal static class AdminTokenRules
{
    /// <returns>Null when there is none, or when something is wrong with it.</returns>
    public static FileBacked<HashedToken>? Load(HaOptions options, Func<string, SecretText> read, List<string> problems)
    {
        var token = options.AdminToken;
        var file = SecretFiles.Find(HaKeys.AdminTokenFile, options.AdminTokenFile, HaKeys.AdminToken, token is not null, problems);
        return file is null && token is null
            ? null
            : FileBacked<HashedToken>.Load([file], (read, problems) => Make(file, file is null ? token : ReadOne(file, read, problems), problems), read, problems);
    }

    private static string? ReadOne(NamedFile file, Func<string, SecretText> read, List<string> problems)
    {
        var tokens = SecretFiles.Entries(file, read, problems);
        if (tokens.Length > 1)
        {
            problems.Add($"{file} holds {tokens.Length} tokens; leave one.");
        }

        return tokens.FirstOrDefault();
    }

    private static HashedToken? Make(NamedFile? file, string? token, List<string> problems)
    {
        if (token is null)
        {
            return null;
        }

        if (token.Length == 0 || token.Any(c => c is <= ' ' or > '~'))
        {
            problems.Add(
                $"{file?.Setting ?? HaKeys.AdminToken} ({token.Length} characters) must be printable ASCII without spaces, as it travels in a header; " +
                $"{KeyRules.HowToMakeASecret}.");
        }

        return new HashedToken(token);
    }
}
