namespace Ha.Http;

/// <summary>Names travel in headers, in signatures and in lists, so they are plain ASCII without separators.</summary>
internal static class PlainName
{
    public const int MaxLength = 128;

    public static bool IsValid(string text) => text.Length is > 0 and <= MaxLength && !text.Any(IsForbidden);

    public static bool IsForbidden(char c) => c is <= ' ' or > '~' or ',' or '"' or '\'' or '\\';
}
