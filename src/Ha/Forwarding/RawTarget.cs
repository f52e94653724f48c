using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding;

/// <summary>The request target as it came over the wire (RFC 9112 section 3.2).</summary>
internal static class RawTarget
{
    /// <summary>
    /// Path and query byte for byte: not decoded, no dot segments removed. Of the absolute form the authority is
    /// dropped, so that nothing a client writes there can steer where a credential goes.
    /// </summary>
    public static string PathAndQuery(HttpContext context)
    {
        var raw = context.Features.Get<IHttpRequestFeature>()?.RawTarget;
        if (string.IsNullOrEmpty(raw))
        {
            // A host that does not keep the raw target; re-encoding is the best that is left.
            return context.Request.PathBase.ToUriComponent() + context.Request.Path.ToUriComponent() + context.Request.QueryString.ToUriComponent();
        }

        return raw[0] == '/' ? raw : OfAbsoluteForm(raw);
    }

    private static string OfAbsoluteForm(string raw)
    {
        var scheme = raw.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0)
        {
            // "*" and the authority form belong to OPTIONS and CONNECT, which are no writes.
            return "/";
        }

        var end = raw.AsSpan(scheme + 3).IndexOfAny('/', '?');
        if (end < 0)
        {
            return "/";
        }

        var rest = raw[(scheme + 3 + end)..];
        return rest[0] == '?' ? "/" + rest : rest;
    }
}
