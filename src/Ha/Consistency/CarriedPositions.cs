using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Consistency;

/// <summary>The positions that a request brings along, in headers and in the cookie.</summary>
internal static class CarriedPositions
{
    /// <summary>More are not looked at: checking a signature takes time.</summary>
    public const int Most = 4;

    private const string CookiePrefix = HaHeaders.PositionCookie + "=";

    /// <summary>True when there may be one. This is all that a read without one costs.</summary>
    public static bool MayBeIn(HttpRequest request)
    {
        var headers = request.Headers;
        if (headers.ContainsKey(HaHeaders.Position))
        {
            return true;
        }

        foreach (var line in headers.Cookie)
        {
            if (line?.Contains(CookiePrefix, StringComparison.Ordinal) == true)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>All that is there, up to <see cref="Most"/>; the headers' first.</summary>
    /// <returns>As they came; empty: one was too long.</returns>
    public static List<string> In(HttpRequest request)
    {
        var found = new List<string>(1);
        foreach (var line in request.Headers[HaHeaders.Position])
        {
            Add(found, line, ',', "");
        }

        foreach (var line in request.Headers.Cookie)
        {
            Add(found, line, ';', CookiePrefix);
        }

        return found;
    }

    private static void Add(List<string> found, string? line, char separator, string prefix)
    {
        foreach (var part in line.AsSpan().Split(separator))
        {
            var text = line.AsSpan(part).Trim();
            if (found.Count < Most && text.StartsWith(prefix, StringComparison.Ordinal) && text.Length > prefix.Length)
            {
                text = text[prefix.Length..];
                found.Add(text.Length > PositionText.MaxLength ? "" : text.ToString());
            }
        }
    }
}
