using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Configuration;

/// <summary>Reads <see cref="HaOptions.ForwardNever"/> and <see cref="HaOptions.ForwardAlways"/>.</summary>
internal static class PathPrefixRules
{
    public static PathPrefixes Parse(HaOptions options, List<string> problems)
    {
        var never = Read(HaKeys.ForwardNever, options.ForwardNever, problems);
        var always = Read(HaKeys.ForwardAlways, options.ForwardAlways, problems);
        foreach (var prefix in never.Where(prefix => always.Contains(prefix)))
        {
            problems.Add($"{HaKeys.ForwardNever} and {HaKeys.ForwardAlways} both name {Shown(prefix)}; leave it in one of them.");
        }

        return new PathPrefixes(
        [
            .. never.Distinct().Select(prefix => (prefix, NodeChoice.AnyNode)),
            .. always.Distinct().Select(prefix => (prefix, NodeChoice.LeaderOnly)),
        ]);
    }

    private static List<PathString> Read(string key, IEnumerable<string> values, List<string> problems)
    {
        var prefixes = new List<PathString>();
        foreach (var value in values)
        {
            if (Problem(value) is { } problem)
            {
                problems.Add($"{key} ({value}) {problem}");
            }
            else
            {
                prefixes.Add(PathString.FromUriComponent(value.TrimEnd('/')));
            }
        }

        return prefixes;
    }

    private static string? Problem(string value) =>
        string.IsNullOrEmpty(value) || value[0] != '/' ? "does not begin with a slash; write a path such as /hooks."
        : value.Any(c => c is '?' or '#' or '*' or '{' or '}' or '\\')
            ? "is no plain path; write the beginning of one, such as /hooks, without query, wildcard or route parameter."
        : value.Any(c => c <= ' ' || char.IsControl(c)) ? "has a space or a control character; write it percent-encoded, as in a URL."
        : value.Contains("//", StringComparison.Ordinal) || value.Split('/').Any(segment => segment is "." or "..")
            ? "has an empty segment, '.' or '..', which no request that arrives has; write the path as the application sees it."
        : value.Contains("%2f", StringComparison.OrdinalIgnoreCase) || !IsWellEncoded(value)
            ? "has a percent sign that stands for no character of a path; write %25 for the sign itself, and no %2F."
        : IsBelow(value, HaRoutes.Root) || IsBelow(value, HaRoutes.GrpcHealth.TrimEnd('/'))
            ? "is answered by every node itself in any case; remove it."
        : null;

    private static bool IsBelow(string value, string route) =>
        new PathString(value.TrimEnd('/')).StartsWithSegments(route, StringComparison.OrdinalIgnoreCase);

    private static bool IsWellEncoded(string value)
    {
        for (var i = value.IndexOf('%', StringComparison.Ordinal); i >= 0; i = value.IndexOf('%', i + 1))
        {
            if (i + 2 >= value.Length || !char.IsAsciiHexDigit(value[i + 1]) || !char.IsAsciiHexDigit(value[i + 2]))
            {
                return false;
            }
        }

        return true;
    }

    private static string Shown(PathString prefix) => prefix.HasValue ? prefix.ToUriComponent() : "/";
}
