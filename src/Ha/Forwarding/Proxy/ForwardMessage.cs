using System.Net;
using Ha.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>One request to the leader, which knows whether any byte of it can have left.</summary>
internal sealed class ForwardMessage : HttpRequestMessage
{
    private ForwardMessage(bool isSecure, bool isHttp2) => (IsSecure, IsHttp2) = (isSecure, isHttp2);

    /// <summary>True: over TLS.</summary>
    public bool IsSecure { get; }

    /// <summary>
    /// True for a gRPC call: it ends with trailers, which need HTTP/2 all the way. Everything else goes over HTTP/1.1, unless
    /// the leader's listener has refused that.
    /// </summary>
    public bool IsHttp2 { get; }

    /// <summary>
    /// False: it never got as far as a connection, so provably nothing was executed. True: it may have been sent.
    /// </summary>
    public bool MayHaveBeenSent { get; private set; }

    /// <summary>True: it was sent, and the leader declared that it did not process it (RFC 9113 section 8.7).</summary>
    public bool WasDeclined { get; private set; }

    /// <summary>The client's request for the leader: address, body and headers.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="target">The leader's URL as members reach it, normalised.</param>
    /// <param name="body">The client's body; always attached to a write.</param>
    /// <param name="ownMark">This node's id as it stands in headers.</param>
    /// <param name="waited">For how long the request has been on this node.</param>
    /// <param name="hosts">Says whether a gRPC call keeps its host over TLS.</param>
    /// <param name="http2Only">True: the leader takes nothing else. An upgrade has no place there.</param>
    public static ForwardMessage Create(
        HttpContext context, string target, ReplayableBody body, string ownMark, TimeSpan waited, PooledHosts hosts, bool http2Only)
    {
        var request = context.Request;
        var message = new ForwardMessage(
            isSecure: target.StartsWith("https:", StringComparison.Ordinal),
            isHttp2: IsCall(request) || (http2Only && !IsUpgrade(context)));
        var pooledByHost = message is { IsSecure: true, IsHttp2: true };
        message.Method = HttpMethod.Parse(request.Method);
        message.RequestUri = Address(target, RawTarget.PathAndQuery(context), plainScheme: message.IsSecure && !pooledByHost);
        message.Version = message.IsHttp2 ? HttpVersion.Version20 : HttpVersion.Version11;
        message.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        if (body.CanHaveBody || WriteMethods.Contains(request.Method))
        {
            message.Content = new ForwardContent(body, message.IsHttp2);
            message.Headers.ExpectContinue = !HaProblem.IsGrpc(request) && (!body.IsSmall || ExpectsContinue(request)) ? true : null;
        }

        ForwardHeaders.ToLeader(context, message, ownMark, waited);
        if (!pooledByHost || hosts.Admits(request.Host.Host))
        {
            message.Headers.TryAddWithoutValidation("Host", request.Host.Value);
        }

        if (IsCall(request))
        {
            message.Headers.TryAddWithoutValidation("TE", "trailers");
        }

        if (IsUpgrade(context))
        {
            message.Headers.TryAddWithoutValidation("Connection", "Upgrade");
            message.Headers.TryAddWithoutValidation("Upgrade", request.Headers.Upgrade.ToString());
        }

        return message;
    }

    /// <summary>
    /// True for a WebSocket's handshake. Any other protocol in <c>Upgrade</c> is an offer that a server may ignore
    /// (RFC 9110 section 7.8), and clients that offer <c>h2c</c> expect no more.
    /// </summary>
    public static bool IsUpgrade(HttpContext context) =>
        HttpMethods.IsGet(context.Request.Method)
        && string.Equals(context.Request.Headers.Upgrade.ToString(), "websocket", StringComparison.OrdinalIgnoreCase)
        && context.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest == true;

    /// <summary>
    /// Called by the handler for every header that it writes to a connection.
    /// </summary>
    /// <remarks>
    /// <c>SocketsHttpHandler</c> by itself sends a request again, up to three times, when its connection closes
    /// before the answer and it has not begun to send a body: with no content object, and also with one that waits
    /// behind <c>Expect: 100-continue</c>. A leader that executed the write and died would have it executed again.
    /// Over HTTP/2 it repeats only what the peer has declared unprocessed, but the body is taken from where the first
    /// copy, which may still run, has left it. So the second time that this request's headers are about to be written is
    /// refused here: whether to send a write again, and with what body, is decided in one place, and it is not this one.
    /// </remarks>
    public void OnHeaderWritten(string name)
    {
        if (!string.Equals(name, HaHeaders.ForwardedBy, StringComparison.Ordinal))
        {
            return;
        }

        if (MayHaveBeenSent)
        {
            WasDeclined = Version >= HttpVersion.Version20;
            throw new IOException("The connection closed before the answer came; the request is not sent twice.");
        }

        MayHaveBeenSent = true;
    }

    private static bool IsCall(HttpRequest request) =>
        HaProblem.IsGrpc(request) && !HttpProtocol.IsHttp11(request.Protocol) && !HttpProtocol.IsHttp10(request.Protocol);

    private static bool ExpectsContinue(HttpRequest request) =>
        string.Equals(request.Headers.Expect, "100-continue", StringComparison.OrdinalIgnoreCase);

    // Not canonicalised, or "/a/../b" and "%7E" would arrive as something else. LeaderHandler makes TLS, and the handler may
    // believe in clear text, so that hosts share connections; but over HTTP/2 the scheme is sent. The port has to be spelled out.
    private static Uri Address(string target, string pathAndQuery, bool plainScheme)
    {
        if (plainScheme)
        {
            var authority = target["https://".Length..];
            var hasPort = authority.LastIndexOf(':') > authority.LastIndexOf(']');
            target = $"http://{authority}{(hasPort ? "" : ":443")}";
        }

        return new Uri(target + pathAndQuery, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
    }
}
