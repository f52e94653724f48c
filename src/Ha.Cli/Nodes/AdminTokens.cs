using Ha.Configuration;
using Ha.Security;

namespace Ha.Cli.Nodes;

/// <summary>Where the admin token comes from. There is no option that takes it: command lines are for everyone to see.</summary>
internal static class AdminTokens
{
    public const string Missing =
        "it wants the admin token: set BASE_ADMIN_TOKEN or BASE_ADMIN_TOKEN_FILE, or name the file with --token-file";

    /// <summary>Instead of <see cref="Missing"/>, where there is one that cannot be read or sent.</summary>
    public static string OfNoUse(IEnumerable<string> problems) =>
        $"it wants the admin token, but {string.Join(' ', problems).TrimEnd('.')}";

    /// <param name="options">What the environment holds.</param>
    /// <param name="option">What <c>--token-file</c> names; it wins. Null: nothing.</param>
    /// <param name="problems">Told when it cannot be read or cannot travel in a header.</param>
    /// <returns>Null when there is none, or none of use.</returns>
    public static string? Find(HaOptions options, string? option, List<string> problems)
    {
        var before = problems.Count;
        var file = option is not null ? new NamedFile("--token-file", option) { IsPublic = true }
            : SecretFiles.Find(HaKeys.AdminTokenFile, options.AdminTokenFile, HaKeys.AdminToken, options.AdminToken is not null, problems);
        var token = file is null ? options.AdminToken : AdminTokenRules.ReadOne(file, SecretText.Read, problems);
        AdminTokenRules.Check(file?.Setting ?? HaKeys.AdminToken, token, problems);
        return problems.Count == before ? token : null;
    }
}
