using Microsoft.AspNetCore.Http;

namespace Ha.Http;

/// <summary>
/// Where requests run by their path: <c>BASE_FORWARD_NEVER</c> and <c>BASE_FORWARD_ALWAYS</c>. A prefix ends at a slash or with
/// the path, case makes no difference, and of several that fit the longest counts. Immutable.
/// </summary>
internal sealed class PathPrefixes
{
    private readonly (PathString Prefix, NodeChoice Choice)[] _longestFirst;

    public PathPrefixes(IEnumerable<(PathString Prefix, NodeChoice Choice)> prefixes) =>
        _longestFirst = [.. prefixes.OrderByDescending(entry => entry.Prefix.Value!.Length)];

    /// <summary>What is looked at, in this order.</summary>
    public IReadOnlyList<(PathString Prefix, NodeChoice Choice)> LongestFirst => _longestFirst;

    public static PathPrefixes None { get; } = new([]);

    public bool Any => _longestFirst.Length > 0;

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

        return ChoiceFor(request.PathBase.HasValue ? request.PathBase.Add(request.Path) : request.Path);
    }

    public NodeChoice ChoiceFor(PathString path)
    {
        foreach (var (prefix, choice) in _longestFirst)
        {
            if (path.StartsWithSegments(prefix, StringComparison.OrdinalIgnoreCase))
            {
                return choice;
            }
        }

        return NodeChoice.ByMethod;
    }
}
