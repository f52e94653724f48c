using System.Collections.Frozen;
using System.Diagnostics;
using System.Net.Http.Headers;
using Ha.Http;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Ha.Forwarding.Proxy;

/// <summary>Copies headers both ways; holds no policy beyond what a gateway must do (RFC 9110 section 7.6).</summary>
internal static class ForwardHeaders
{
    private const string ForwardedFor = "X-Forwarded-For";
    private const string ForwardedProto = "X-Forwarded-Proto";
    private const string ForwardedHost = "X-Forwarded-Host";
    private const string ForwardedPrefix = "X-Forwarded-Prefix";

    // Meant for one connection, whatever Connection says.
    private static readonly string[] _hopByHop =
    [
        HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.TransferEncoding, HeaderNames.TE, HeaderNames.Upgrade,
        HeaderNames.ProxyConnection, HeaderNames.ProxyAuthorization, HeaderNames.ProxyAuthenticate,
        "Proxy-Authentication-Info", "HTTP2-Settings", HeaderNames.AltSvc,
    ];

    // The content states its length itself: it is not always what the client has stated.
    private static readonly FrozenSet<string> _notToLeader = Set(
        [.. _hopByHop, HeaderNames.Host, HeaderNames.Expect, HeaderNames.ContentLength, ForwardedFor, ForwardedProto, ForwardedHost, HeaderNames.Via,
            HaHeaders.ForwardedBy, HaHeaders.Forward, HaHeaders.Method, HaHeaders.NotExecuted]);

    private static readonly FrozenSet<string> _notToClient = Set(
        [.. _hopByHop, HaHeaders.NotExecuted, HaHeaders.Leader, HaHeaders.Epoch, HaHeaders.Node]);

    private static readonly FrozenSet<string> _traceFields = Set([.. DistributedContextPropagator.Current.Fields]);

    /// <summary>Client's request to the leader's.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="message">The leader's; its content is attached already.</param>
    /// <param name="ownMark">This node's id, for the hop mark and <c>Via</c>.</param>
    /// <param name="waited">For how long the request has been on this node.</param>
    public static void ToLeader(HttpContext context, ForwardMessage message, string ownMark, TimeSpan waited)
    {
        var request = context.Request;
        var named = NamedByConnection(request.Headers.Connection);

        // With an activity of our own the trace headers are that one's; without, the client's pass.
        var activity = Activity.Current;
        foreach (var (name, values) in request.Headers)
        {
            if (_notToLeader.Contains(name) || named?.Contains(name) == true || (activity is not null && _traceFields.Contains(name)) || name[0] == ':')
            {
                continue;
            }

            var isTimeout = values.Count == 1 && string.Equals(name, GrpcTimeout.Header, StringComparison.OrdinalIgnoreCase);
            Add(message, name, isTimeout ? GrpcTimeout.Less(values.ToString(), waited) : values);
        }

        Append(message, request.Headers, ForwardedFor, RemoteAddress(context));
        Append(message, request.Headers, ForwardedProto, request.Scheme);
        Append(message, request.Headers, ForwardedHost, request.Host.Value ?? "");
        Append(message, request.Headers, HeaderNames.Via, $"{ProtocolVersion(request.Protocol)} {ownMark}");
        AppendPrefix(context, message);
        message.Headers.TryAddWithoutValidation(HaHeaders.ForwardedBy, ownMark);
        if (!string.Equals(message.Method.Method, request.Method, StringComparison.Ordinal))
        {
            message.Headers.TryAddWithoutValidation(HaHeaders.Method, request.Method);
        }

        if (activity is not null)
        {
            DistributedContextPropagator.Current.Inject(activity, message, static (carrier, name, value) =>
                ((ForwardMessage)carrier!).Headers.TryAddWithoutValidation(name, value));
        }
    }

    /// <summary>Leader's answer to the client's.</summary>
    public static void ToClient(HttpResponseMessage answer, HttpContext context, string via, ForwardingReports reports)
    {
        var headers = context.Response.Headers;
        HashSet<string>? named = answer.Headers.NonValidated.TryGetValues(HeaderNames.Connection, out var connection)
            ? NamedByConnection(ToValues(connection))
            : null;
        Copy(answer.Headers.NonValidated, headers, named, reports);
        Copy(answer.Content.Headers.NonValidated, headers, named, reports);
        if (answer.Headers.NonValidated.Contains(HeaderNames.TransferEncoding))
        {
            // Of two framings that one counts (RFC 9112 section 6.3).
            headers.ContentLength = null;
        }

        headers.Append(HeaderNames.Via, $"{answer.Version.ToString(answer.Version.Major >= 2 ? 1 : 2)} {via}");
    }

    public static StringValues ToValues(HeaderStringValues values)
    {
        if (values.Count == 1)
        {
            return values.ToString();
        }

        var all = new string[values.Count];
        var i = 0;
        foreach (var value in values)
        {
            all[i++] = value;
        }

        return all;
    }

    private static void Copy(HttpHeadersNonValidated from, IHeaderDictionary to, HashSet<string>? named, ForwardingReports reports)
    {
        foreach (var (name, values) in from)
        {
            if (_notToClient.Contains(name) || named?.Contains(name) == true)
            {
                continue;
            }

            try
            {
                to[name] = ToValues(values);
            }
            catch (InvalidOperationException) when (!string.Equals(name, HeaderNames.ContentLength, StringComparison.OrdinalIgnoreCase))
            {
                // The write has been executed: an answer with a header less is better than none. Without its length it
                // could not be told from half of it.
                reports.HeaderDropped(name);
            }
        }
    }

    private static void Add(ForwardMessage message, string name, StringValues values)
    {
        if (values.Count == 1)
        {
            var value = values.ToString();
            if (!message.Headers.TryAddWithoutValidation(name, value))
            {
                ContentOf(message).Headers.TryAddWithoutValidation(name, value);
            }

            return;
        }

        // Cookie is the one header whose lines are not joined with a comma (RFC 6265 section 5.4). The handler joins those of
        // all others with a comma and a space, which no reader of base64 in gRPC's metadata expects.
        var all = string.Equals(name, HeaderNames.Cookie, StringComparison.OrdinalIgnoreCase) ? [string.Join("; ", values.ToArray())]
            : message.IsHttp2 ? [values.ToString()]
            : values.ToArray();
        if (!message.Headers.TryAddWithoutValidation(name, all))
        {
            ContentOf(message).Headers.TryAddWithoutValidation(name, all);
        }
    }

    // A read without a body may have headers that describe one; the handler takes those from a content only.
    private static HttpContent ContentOf(HttpRequestMessage message) => message.Content ??= new ByteArrayContent([]);

    private static void Append(HttpRequestMessage message, IHeaderDictionary from, string name, string value)
    {
        var before = from[name];
        message.Headers.TryAddWithoutValidation(name, before.Count == 0 ? value : $"{before}, {value}");
    }

    // UseForwardedHeaders has taken the prefix that a proxy in front cut off out of the headers and into the path base. Of
    // that the request target knows nothing, unlike of what UsePathBase or Map have taken from its beginning.
    private static void AppendPrefix(HttpContext context, HttpRequestMessage message)
    {
        var request = context.Request;
        var (prefix, path) = (request.PathBase.Value ?? "", request.Path.Value ?? "");
        if (prefix.Length == 0)
        {
            return;
        }

        var target = Uri.UnescapeDataString(RawTarget.PathAndQuery(context).Split('?')[0]);
        var cutHere = target.EndsWith(path, StringComparison.Ordinal) ? target[..^path.Length] : "";
        if (!prefix.EndsWith(cutHere, StringComparison.OrdinalIgnoreCase) || prefix.Length == cutHere.Length)
        {
            return;
        }

        message.Headers.Remove(ForwardedPrefix);
        Append(message, request.Headers, ForwardedPrefix, new PathString(prefix[..^cutHere.Length]).ToUriComponent());
    }

    private static string RemoteAddress(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        return address switch
        {
            null => "unknown",
            { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
            _ => address.ToString(),
        };
    }

    private static string ProtocolVersion(string protocol) => protocol.StartsWith("HTTP/", StringComparison.Ordinal) ? protocol[5..] : protocol;

    private static HashSet<string>? NamedByConnection(StringValues connection)
    {
        HashSet<string>? named = null;
        foreach (var line in connection)
        {
            foreach (var part in line.AsSpan().Split(','))
            {
                var name = line.AsSpan(part).Trim();
                if (!name.IsEmpty && !name.Equals("keep-alive", StringComparison.OrdinalIgnoreCase) && !name.Equals("close", StringComparison.OrdinalIgnoreCase))
                {
                    (named ??= new HashSet<string>(StringComparer.OrdinalIgnoreCase)).Add(name.ToString());
                }
            }
        }

        return named;
    }

    private static FrozenSet<string> Set(string[] names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
