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
