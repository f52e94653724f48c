using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ha.Http;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>How one attempt to forward ended.</summary>
internal enum ForwardResult
{
    /// <summary>The client has the leader's answer.</summary>
    Answered,

    /// <summary>The client has a part of the leader's answer, and its connection was aborted.</summary>
    BrokenOff,

    /// <summary>No connection to the leader came about: nothing was executed.</summary>
    Unreachable,

    /// <summary>The leader said so: nothing was executed.</summary>
    NotExecuted,

    /// <summary>The leader's handler said so: nothing was executed.</summary>
    RefusedByHandler,

    /// <summary>A gRPC call, and the leader's listener does not take HTTP/2: nothing was executed.</summary>
    NoHttp2,

    /// <summary>The connection broke, or the leader was given up, after bytes may have been sent.</summary>
    OutcomeUnknown,

    /// <summary>The client's body broke the protocol or a limit; see <see cref="ReplayableBody.ClientFault"/>.</summary>
    ClientFault,
}

/// <summary>
/// Sends a request to the leader and its answer back. Copies and judges nothing: whether to forward, repeat or
/// refuse is the middleware's business. Thread-safe; lives as long as the node.
/// </summary>
/// <remarks>
/// One attempt:
/// <list type="number">
/// <item>Lift this node's body limits: the leader's count.</item>
/// <item>Address the request to the leader, target byte for byte.</item>
/// <item>Attach the body, always one on writes; a large one waits for the leader's consent.</item>
/// <item>Copy headers, less hop-by-hop; append <c>X-Forwarded-*</c>, <c>Via</c> and the hop mark.</item>
/// <item>Send, until the answer's headers are here.</item>
/// <item>Stop if the leader refused: nothing reaches the client.</item>
/// <item>Copy status and headers back.</item>
/// <item>Switch to raw streams if the protocol was upgraded, or copy the body, flushing whenever it pauses.</item>
/// <item>Copy trailers.</item>
/// <item>See that nothing reads the client's body any more.</item>
/// </list>
/// </remarks>
internal sealed class LeaderForwarder : IDisposable
{
    private const string WebSocket = "websocket";
    private const long Http11Required = 0xd;

    private readonly HttpMessageInvoker _clear;
    private readonly HttpMessageInvoker _secure;
    private readonly HttpMessageInvoker _secureHttp2;
    private readonly string _ownMark;
    private readonly string _via;
    private readonly ForwardingReports _reports;

    /// <param name="ownMark">This node's id as it stands in headers.</param>
    /// <param name="publicInfo">False: <c>Via</c> in answers does not name this node.</param>
    /// <param name="lease">Bounds the time to connect.</param>
    /// <param name="reports">Told of every attempt that failed on the leader's side.</param>
    /// <param name="tls">How to check an <c>https</c> leader and show this node to it.</param>
    /// <param name="encodings">How header values are written and read.</param>
    /// <param name="resolve">How names become addresses, for tests; null: the system's resolver.</param>
    public LeaderForwarder(
        string ownMark,
        bool publicInfo,
        TimeSpan lease,
        ForwardingReports reports,
        NodeTls tls,
        HeaderEncodings encodings,
        Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        _ownMark = ownMark;
        _via = publicInfo ? ownMark : "ha";
        _reports = reports;
        _clear = new HttpMessageInvoker(LeaderHandler.Create(lease, encodings, tls: null, resolve));
        _secure = new HttpMessageInvoker(tls.CreateHandler(options => LeaderHandler.Create(lease, encodings, options, resolve)));
        _secureHttp2 = new HttpMessageInvoker(tls.CreateHandler(options =>
        {
            // Only the stock handler can speak HTTP/2 over TLS; it must not see the client's Host (see LeaderHandler).
            var http2 = LeaderHandler.Create(lease, encodings, tls: null, resolve);
            http2.SslOptions = options;
            return http2;
        }));
    }

    /// <summary>One attempt; the answer must not have started.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="target">The leader's URL as members reach it, normalised.</param>
    /// <param name="body">The client's body, kept over attempts.</param>
    /// <param name="givenUp">
    /// Fires when there is no point in waiting for the answer any more. One that has begun by then goes on, except for a
    /// stream or an upgraded connection.
    /// </param>
    public async Task<ForwardResult> ForwardAsync(HttpContext context, string target, ReplayableBody body, CancellationToken givenUp)
    {
        using var activity = HaActivitySource.Source.StartActivity(HaActivitySource.Forward, ActivityKind.Client);
        activity?.SetTag("ha.leader", target);

        // Step 1: lift the limits.
        body.LiftLimits();

        // Steps 2 to 4: address, body, headers.
        using var message = CreateMessage(context, target, body, out var invoker);
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var content = message.Content as ForwardContent;
        try
        {
            // Step 5: send.
            using var answer = await SendAsync(invoker, message, attempt, givenUp);

            // Step 6: refused?
            if (answer.Headers.NonValidated.Contains(HaHeaders.NotExecuted))
            {
                var byHandler = answer.Headers.NonValidated.Contains(HaHeaders.RefusedByHandler);
                return byHandler ? ForwardResult.RefusedByHandler : ForwardResult.NotExecuted;
            }

            if (HttpsLoop.IsClosedBy(answer, context))
            {
                _reports.HttpsLoop(target);
            }

            // Steps 7 to 9: the way back.
            activity?.SetTag("http.response.status_code", (int)answer.StatusCode);
            return await AnswerCopy.ToClientAsync(answer, context, _via, _reports, givenUp);
        }
        catch (Exception failure) when (IsExpected(failure, context, body))
        {
            activity?.SetStatus(ActivityStatusCode.Error);
            return Classify(context, message, body, target, failure);
        }
        finally
        {
            // Step 10: nothing may read the body once this request is over.
            if (content is { IsDone: false })
            {
                await attempt.CancelAsync();
                await content.WhenIdleAsync();
            }
        }
    }

    public void Dispose()
    {
        _clear.Dispose();
        _secure.Dispose();
        _secureHttp2.Dispose();
    }

    private static async Task<HttpResponseMessage> SendAsync(
        HttpMessageInvoker invoker, HttpRequestMessage message, CancellationTokenSource attempt, CancellationToken givenUp)
    {
        // Only until the headers are here: an answer that has begun may go on for as long as its leader lets it.
        using var registration = givenUp.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), attempt);
        return await invoker.SendAsync(message, attempt.Token);
    }

    private ForwardMessage CreateMessage(HttpContext context, string target, ReplayableBody body, out HttpMessageInvoker invoker)
    {
        var request = context.Request;
        var upgrade = IsUpgrade(context);
        var http2 = NeedsHttp2(request);
        var secure = target.StartsWith("https:", StringComparison.Ordinal);
        invoker = !secure ? _clear : http2 ? _secureHttp2 : _secure;
        var message = new ForwardMessage
        {
            Method = HttpMethod.Parse(request.Method),
            RequestUri = Address(target, RawTarget.PathAndQuery(context), plainScheme: secure && !http2),
            Version = http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (body.CanHaveBody || WriteMethods.Contains(request.Method))
        {
            message.Content = new ForwardContent(body);
            message.Headers.ExpectContinue = !HaProblem.IsGrpc(request) && (!body.IsSmall || ExpectsContinue(request)) ? true : null;
        }

        ForwardHeaders.ToLeader(context, message, _ownMark);
        if (!(secure && http2))
        {
            message.Headers.TryAddWithoutValidation("Host", request.Host.Value);
        }

        if (http2)
        {
            message.Headers.TryAddWithoutValidation("TE", "trailers");
        }

        if (upgrade)
        {
            message.Headers.TryAddWithoutValidation("Connection", "Upgrade");
            message.Headers.TryAddWithoutValidation("Upgrade", context.Request.Headers.Upgrade.ToString());
        }

        return message;
    }

    /// <summary>
    /// True for a WebSocket's handshake. Any other protocol in <c>Upgrade</c> is an offer that a server may ignore
    /// (RFC 9110 section 7.8), and clients that offer <c>h2c</c> expect no more.
    /// </summary>
    public static bool IsUpgrade(HttpContext context) =>
        HttpMethods.IsGet(context.Request.Method)
        && string.Equals(context.Request.Headers.Upgrade.ToString(), WebSocket, StringComparison.OrdinalIgnoreCase)
        && context.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest == true;

    // gRPC ends with trailers, which need HTTP/2 all the way. Everything else goes over HTTP/1.1, which the leader's
    // listener speaks for certain: heartbeats come over it.
    private static bool NeedsHttp2(HttpRequest request) =>
        HaProblem.IsGrpc(request) && !HttpProtocol.IsHttp11(request.Protocol) && !HttpProtocol.IsHttp10(request.Protocol);

    private static bool ExpectsContinue(HttpRequest request) =>
        string.Equals(request.Headers.Expect, "100-continue", StringComparison.OrdinalIgnoreCase);

    // Not canonicalised, or "/a/../b" and "%7E" would arrive as something else. Where TLS is made by LeaderHandler the
    // handler must believe in clear text, so the port has to be spelled out.
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

    // What a network and a client can do to us; anything else is a bug and goes up. SocketException: the handler asks a
    // connection that was reset at once for its address, and does not wrap what that throws.
    private static bool IsExpected(Exception failure, HttpContext context, ReplayableBody body) =>
        failure is HttpRequestException or OperationCanceledException or IOException or SocketException
        || body.ClientFault is not null
        || context.RequestAborted.IsCancellationRequested;

    private ForwardResult Classify(HttpContext context, ForwardMessage message, ReplayableBody body, string target, Exception failure)
    {
        var cancelledHere = context.RequestAborted.IsCancellationRequested;
        if (body.ClientFault is not null && !cancelledHere)
        {
            return ForwardResult.ClientFault;
        }

        if (LacksHttp2(failure))
        {
            _reports.NoHttp2(target);
            return ForwardResult.NoHttp2;
        }

        if (message.WasDeclined)
        {
            return ForwardResult.NotExecuted;
        }

        if (!message.MayHaveBeenSent)
        {
            if (!cancelledHere)
            {
                _reports.Unreachable(target, TlsFailure.Explain(failure) ?? failure.GetBaseException().Message);
            }

            return ForwardResult.Unreachable;
        }

        if (!cancelledHere)
        {
            _reports.Broken(target, failure);
        }

        return ForwardResult.OutcomeUnknown;
    }

    // A listener for HTTP/1.1 says so to the first bytes of HTTP/2 (RFC 9113 section 7), one with TLS when the protocol is
    // negotiated. Neither has seen a request.
    private static bool LacksHttp2(Exception failure) =>
        failure is HttpRequestException { HttpRequestError: HttpRequestError.VersionNegotiationError }
            or HttpRequestException { InnerException: HttpProtocolException { ErrorCode: Http11Required } };
}
