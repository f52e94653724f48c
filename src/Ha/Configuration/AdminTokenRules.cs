using Ha.Security;

namespace Ha.Configuration;

/// <summary>Loads the administrator's token. A message may say how long it is, never what it is.</summary>
internal static class AdminTokenRules
{
    /// <summary>In characters. Wrong tokens are not slowed down, so nobody may get through by trying.</summary>
    public const int MinLength = 16;

    /// <returns>Null when there is none, or when something is wrong with it.</returns>
    public static FileBacked<HashedToken>? Load(HaOptions options, Func<string, SecretText> read, List<string> problems)
    {
        var token = options.AdminToken;
        var file = SecretFiles.Find(HaKeys.AdminTokenFile, options.AdminTokenFile, HaKeys.AdminToken, token is not null, problems);
        if (file is not null)
        {
            return FileBacked<HashedToken>.Load(
                [file], (read, problems) => Make(file.Setting, ReadOne(file, read, problems), problems), read, problems);
        }

        return Make(HaKeys.AdminToken, token, problems) is { } unchanging ? FileBacked<HashedToken>.Fixed(unchanging) : null;
    }

    public static string? ReadOne(NamedFile file, Func<string, SecretText> read, List<string> problems)
    {
        var tokens = SecretFiles.Entries(file, read, problems);
        if (tokens.Length > 1)
        {
            problems.Add($"{file} holds {tokens.Length} tokens; leave one.");
        }

        return tokens.FirstOrDefault();
    }

    public static void Check(string setting, string? token, List<string> problems)
    {
        var what = token is null ? null
            : KeyRules.IsStandIn(token) ? KeyRules.StandIn
            : token.Length == 0 || token.Any(c => c is <= ' ' or > '~')
                ? $"must be printable ASCII without spaces, as it travels in a header; {KeyRules.HowToMakeASecret}"
            : token.Length < MinLength ? $"is shorter than {MinLength} characters; {KeyRules.HowToMakeASecret}"
            : null;
        if (what is not null)
        {
            problems.Add($"{setting} ({token!.Length} characters) {what}.");
        }
    }

    private static HashedToken? Make(string setting, string? token, List<string> problems)
    {
        Check(setting, token, problems);
        return token is null ? null : new HashedToken(token);
    }
}
