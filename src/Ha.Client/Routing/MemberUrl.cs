namespace Ha.Client.Routing;

/// <summary>
/// The one spelling of a node's base URL: lower-case scheme and host, default port dropped, nothing after the
/// authority. Nodes are compared as strings, and a wrong match would hand out a token.
/// </summary>
internal static class MemberUrl
{
    private const int MaxLength = 512;

    /// <summary>Accepts an absolute http or https URL without user name, path, query and fragment.</summary>
    public static bool TryParse(string? text, out string url)
    {
        url = "";
        if (text is null || text.Length > MaxLength || text.Contains('@', StringComparison.Ordinal) || text.Contains('\\', StringComparison.Ordinal) ||
            !Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.PathAndQuery is not "/" || text.Contains('#', StringComparison.Ordinal))
        {
            return false;
        }

        url = Of(uri);
        return url.Length > 0;
    }

    /// <summary>The base URL that <paramref name="uri"/> belongs to; empty when it is not http or https, or carries a user name.</summary>
    public static string Of(Uri uri)
    {
        if (!uri.IsAbsoluteUri || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0 || uri.IdnHost.Length == 0)
        {
            return "";
        }

        // IdnHost is punycode for names, and an IPv6 address without its brackets.
        var host = uri.HostNameType == UriHostNameType.IPv6 ? $"[{uri.IdnHost}]" : uri.IdnHost.ToLowerInvariant();
        return uri.IsDefaultPort ? $"{uri.Scheme}://{host}" : $"{uri.Scheme}://{host}:{uri.Port}";
    }

    /// <summary>The same, and of any other scheme (<c>https+http</c>) the name that only a resolver understands.</summary>
    public static string NameOf(Uri uri) => Of(uri) is { Length: > 0 } url ? url
        : uri is { IsAbsoluteUri: true, UserInfo.Length: 0, IdnHost.Length: > 0 } ? $"{uri.Scheme}://{uri.Authority.ToLowerInvariant()}"
        : "";

    /// <summary>
    /// The same resource on another node. Put together as text: resolved as a relative reference, a path that begins
    /// with two slashes would name another host.
    /// </summary>
    public static Uri On(string memberUrl, Uri resource) =>
        new(memberUrl + resource.PathAndQuery, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    /// <summary>Path and query of an absolute URL as they were written, which is how nodes echo them.</summary>
    public static string RawPathAndQuery(string url)
    {
        var authority = url.IndexOf("://", StringComparison.Ordinal);
        var path = authority < 0 ? -1 : url.AsSpan(authority + 3).IndexOfAny('/', '?');
        return path < 0 ? "/" : url[(authority + 3 + path)..];
    }

    /// <summary>True when a request would lose its encryption on the way.</summary>
    public static bool IsDowngrade(string from, string to) =>
        from.StartsWith("https:", StringComparison.Ordinal) && !to.StartsWith("https:", StringComparison.Ordinal);
}
