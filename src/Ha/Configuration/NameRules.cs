using Ha.Http;

namespace Ha.Configuration;

/// <summary>Checks the names that a person gave.</summary>
internal static class NameRules
{
    public static void Check(HaOptions options, List<string> problems)
    {
        Check(HaKeys.NodeId, options.NodeId, problems);
        Check(HaKeys.ClusterId, options.ClusterId, problems);
    }

    public static void Check(string key, string? name, List<string> problems)
    {
        if (string.IsNullOrEmpty(name))
        {
            problems.Add($"{key} is empty; give it a name such as node-1.");
        }
        else if (name.Length > PlainName.MaxLength)
        {
            problems.Add($"{key} ({name[..32]}…) has {name.Length} characters; use at most {PlainName.MaxLength}.");
        }
        else if (name.Any(PlainName.IsForbidden))
        {
            problems.Add($"{key} ({Printable(name)}) must be printable ASCII without spaces, commas, quotes and backslashes; use letters, digits, '-', '.' and '_'.");
        }
    }

    private static string Printable(string name) => string.Concat(name.Select(c => char.IsControl(c) ? '?' : c));
}
