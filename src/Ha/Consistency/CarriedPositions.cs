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
    public static List<CarriedPosition> In(HttpRequest request)
    {
        var found = new List<CarriedPosition>(1);
        foreach (var line in request.Headers[HaHeaders.Position])
        {
            Add(found, line, ',', "", fromCookie: false);
        }

        foreach (var line in request.Headers.Cookie)
        {
            Add(found, line, ';', CookiePrefix, fromCookie: true);
        }

        return found;
    }

    private static void Add(List<CarriedPosition> found, string? line, char separator, string prefix, bool fromCookie)
    {
        foreach (var part in line.AsSpan().Split(separator))
        {
            var text = line.AsSpan(part).Trim();
            if (found.Count < Most && text.StartsWith(prefix, StringComparison.Ordinal) && text.Length > prefix.Length)
            {
                text = text[prefix.Length..];
                found.Add(new CarriedPosition(text.Length > PositionText.MaxLength ? "" : text.ToString(), fromCookie));
            }
        }
    }
}

/// <summary>One of them.</summary>
/// <param name="Text">As it came; empty: it was too long.</param>
/// <param name="FromCookie">A browser leaves it behind when it follows a redirect to another host.</param>
internal sealed record CarriedPosition(string Text, bool FromCookie);
