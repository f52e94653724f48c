using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Configuration;

/// <summary>
/// Where requests run by their path: <c>BASE_FORWARD_NEVER</c> and <c>BASE_FORWARD_ALWAYS</c>. A prefix ends at a slash or with
/// the path, case makes no difference, and of several that fit the longest counts. Immutable.
/// </summary>
internal sealed class PathPrefixes
{
    private readonly (PathString Prefix, NodeChoice Choice)[] _longestFirst;

    private PathPrefixes(IEnumerable<(PathString Prefix, NodeChoice Choice)> prefixes) =>
        _longestFirst = [.. prefixes.OrderByDescending(entry => entry.Prefix.Value!.Length)];

    public static PathPrefixes None { get; } = new([]);

    public bool Any => _longestFirst.Length > 0;

    /// <summary>Reads both lists; what is wrong goes into <paramref name="problems"/>.</summary>
    public static PathPrefixes Parse(HaOptions options, List<string> problems)
    {
        var never = Read(HaKeys.ForwardNever, options.ForwardNever, problems);
        var always = Read(HaKeys.ForwardAlways, options.ForwardAlways, problems);
        foreach (var prefix in never.Where(prefix => always.Contains(prefix)))
        {
            problems.Add($"{HaKeys.ForwardNever} and {HaKeys.ForwardAlways} both name {Shown(prefix)}; leave it in one of them.");
        }

        return new PathPrefixes(
            [.. never.Distinct().Select(prefix => (prefix, NodeChoice.AnyNode)), .. always.Distinct().Select(prefix => (prefix, NodeChoice.LeaderOnly))]);
    }

    /// <summary>
    /// What they say of a request whose endpoint says nothing itself. The whole path counts, with a path base that something took off
    /// before: so it makes no difference where the request is looked at.
    /// </summary>
    public NodeChoice ChoiceFor(HttpRequest request)
    {
        // What a browser asks before a request, and a trace, is about the node that is asked.
        if (HttpMethods.IsOptions(request.Method) || HttpMethods.IsTrace(request.Method))
        {
            return NodeChoice.ByMethod;
        }

        var path = request.PathBase.HasValue ? request.PathBase.Add(request.Path) : request.Path;
        foreach (var (prefix, choice) in _longestFirst)
        {
            if (path.StartsWithSegments(prefix, StringComparison.OrdinalIgnoreCase))
            {
                return choice;
            }
        }

        return NodeChoice.ByMethod;
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
        : value.Any(c => c is '?' or '#' or '*' or '{' or '}' or '\\') ? "is no plain path; write the beginning of one, such as /hooks, without query, wildcard or route parameter."
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
