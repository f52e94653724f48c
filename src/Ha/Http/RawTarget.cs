using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Http;

/// <summary>The request target as it came over the wire (RFC 9112 section 3.2).</summary>
internal static class RawTarget
{
    /// <summary>
    /// Path and query byte for byte: not decoded, no dot segments removed. Of the absolute form the authority is
    /// dropped, so that nothing a client writes there can steer where a credential goes. What can stand neither in a
    /// URL nor in a request line is percent-encoded.
    /// </summary>
    public static string PathAndQuery(HttpContext context)
    {
        var target = AsSent(context);
        return target.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0 ? target : Encoded(target);
    }

    // Kestrel lets control characters and, over HTTP/2, spaces through. On the way to the leader they would end the
    // line or the target for some other server's parser, and the rest would be a request of its own.
    private static string Encoded(string target)
    {
        var text = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(target))
        {
            _ = b is >= (byte)'!' and <= (byte)'~' ? text.Append((char)b) : text.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return text.ToString();
    }

    private static string AsSent(HttpContext context)
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
