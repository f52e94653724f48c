namespace Ha.Http;

/// <summary>
/// The id of a node or a cluster. It travels in headers, in signatures and in lists, so it is plain ASCII without separators.
/// </summary>
internal static class NodeName
{
    public const int MaxLength = 128;

    public static bool IsValid(string text) => text.Length is > 0 and <= MaxLength && !text.Any(IsForbidden);

    public static bool IsForbidden(char c) => c is <= ' ' or > '~' or ',' or '"' or '\'' or '\\';
}
