using System.Diagnostics;
using System.Net.Sockets;
using Ha.Configuration;
using Ha.Http;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Forwarding.Proxy;

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
    private const long Http11Required = 0xd;

    private readonly HttpMessageInvoker _clear;
    private readonly HttpMessageInvoker _secure;
    private readonly PooledHosts _hosts;
    private readonly Http2OnlyPeers _http2Only = new();
    private readonly string _via;
    private readonly ForwardingReports _reports;
    private readonly TimeProvider _clock;
    private readonly ForwardingReports _nobody = new(NullLoggerFactory.Instance, TimeProvider.System);

    /// <param name="settings">This node's id, whether answers may name it, and the lease, which bounds the time to connect.</param>
    /// <param name="tls">How to check an <c>https</c> leader and show this node to it.</param>
    /// <param name="encodings">How header values are written and read.</param>
    /// <param name="reports">Told of every attempt that failed on the leader's side.</param>
    /// <param name="clock">Measures the patience of requests, and forgets hosts that nobody calls any more.</param>
    /// <param name="addresses">Where the members are.</param>
    public LeaderForwarder(
        HaSettings settings,
        NodeTls tls,
        HeaderEncodings encodings,
        ForwardingReports reports,
        TimeProvider clock,
        MemberAddresses addresses)
    {
        OwnMark = HaHeaders.EncodeId(settings.NodeId);
        _via = settings.PublicInfo ? OwnMark : "ha";
        (_reports, _clock) = (reports, clock);
        _hosts = new PooledHosts(clock);
        var lease = settings.LeaseTimeout;
        _clear = Follow(() => LeaderHandler.Create(lease, encodings, tls: null, addresses));
        _secure = Follow(() => tls.CreateHandler(ssl => LeaderHandler.Create(lease, encodings, ssl, addresses)));

        HttpMessageInvoker Follow(Func<HttpMessageHandler> create) => new(new HandlerPerHost(addresses.VersionOf, create));
    }

    /// <summary>This node's id as it stands in headers.</summary>
    public string OwnMark { get; }

    /// <summary>One attempt; the answer must not have started.</summary>
    /// <param name="context">The client's request.</param>
    /// <param name="target">The leader's URL as members reach it, normalised.</param>
    /// <param name="body">The client's body, kept over attempts.</param>
    /// <param name="waited">For how long the request has been on this node.</param>
    /// <param name="connectPatience">How long it waits for a connection; null: as long as connecting may take for anybody.</param>
    /// <param name="givenUp">
    /// Fires when there is no point in waiting for the answer any more. One that has begun by then goes on, except for a
    /// stream or an upgraded connection.
    /// </param>
    public Task<ForwardResult> ForwardAsync(
        HttpContext context, string target, ReplayableBody body, TimeSpan waited, TimeSpan? connectPatience, CancellationToken givenUp) =>
        HaActivitySource.Source.HasListeners()
            ? TraceAsync(context, target, body, waited, connectPatience, givenUp)
            : AttemptAsync(context, target, body, waited, connectPatience, activity: null, _reports, givenUp);

    /// <summary>
    /// Takes a write that means nothing to a member and back, the way of all writes: so that the next one finds a connection, TLS
    /// included, and code that has run. The member answers 405 and tells nobody; neither does this node of a failure.
    /// </summary>
    /// <param name="target">The member's URL, normalised.</param>
    /// <param name="givenUp">Ends it.</param>
    public async Task KeepWarmAsync(string target, CancellationToken givenUp)
    {
        var context = RehearsedWrite.Create(HaRoutes.Health);
        using var body = new ReplayableBody(context.Request);
        await AttemptAsync(context, target, body, waited: TimeSpan.Zero, connectPatience: null, activity: null, _nobody, givenUp);
    }

    private async Task<ForwardResult> TraceAsync(
        HttpContext context, string target, ReplayableBody body, TimeSpan waited, TimeSpan? connectPatience, CancellationToken givenUp)
    {
        using var activity = HaActivitySource.Source.StartActivity(HaActivitySource.Forward, ActivityKind.Client);
        activity?.SetTag("ha.leader", target);
        return await AttemptAsync(context, target, body, waited, connectPatience, activity, _reports, givenUp);
    }

    private async Task<ForwardResult> AttemptAsync(
        HttpContext context, string target, ReplayableBody body, TimeSpan waited, TimeSpan? connectPatience, Activity? activity,
        ForwardingReports reports, CancellationToken givenUp)
    {
        // Step 1: lift the limits.
        body.LiftLimits();

        // Steps 2 to 4: address, body, headers.
        using var message = ForwardMessage.Create(context, target, body, OwnMark, waited, _hosts, _http2Only.Contains(target));
        var invoker = message.IsSecure ? _secure : _clear;
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        using var givingUp = givenUp.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), attempt);
        await using var connecting = LimitConnecting(message, connectPatience, attempt);
        var content = message.Content as ForwardContent;
        try
        {
            // Step 5: send. Given up only until the headers are here: an answer that has begun may go on for as long as its
            // leader lets it.
            using var answer = await invoker.SendAsync(message, attempt.Token);
            await givingUp.DisposeAsync();

            // Step 6: refused, by its listener or by itself?
            if (await _http2Only.AddIfRefusedAsync(target, answer, attempt.Token))
            {
                return ForwardResult.NotExecuted;
            }

            if (answer.Headers.NonValidated.Contains(HaHeaders.NotExecuted))
            {
                var byHandler = answer.Headers.NonValidated.Contains(HaHeaders.RefusedByHandler);
                return byHandler ? ForwardResult.RefusedByHandler : ForwardResult.NotExecuted;
            }

            if (HttpsLoop.IsClosedBy(answer, context))
            {
                reports.HttpsLoop(target);
            }

            // Steps 7 to 9: the way back.
            activity?.SetTag("http.response.status_code", (int)answer.StatusCode);
            return await AnswerCopy.ToClientAsync(answer, context, _via, reports, givenUp);
        }
        catch (Exception failure) when (IsExpected(failure, context, body))
        {
            activity?.SetStatus(ActivityStatusCode.Error);
            return Classify(context, message, body, target, failure, reports);
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
    }

    private ITimer? LimitConnecting(ForwardMessage message, TimeSpan? patience, CancellationTokenSource attempt) =>
        patience is not { } limit ? null : _clock.CreateTimer(
            static state =>
            {
                var (message, attempt) = ((ForwardMessage, CancellationTokenSource))state!;
                if (!message.MayHaveBeenSent)
                {
                    attempt.Cancel();
                }
            },
            (message, attempt), limit, Timeout.InfiniteTimeSpan);

    // What a network and a client can do to us; anything else is a bug and goes up. SocketException: the handler asks a
    // connection that was reset at once for its address, and does not wrap what that throws.
    private static bool IsExpected(Exception failure, HttpContext context, ReplayableBody body) =>
        failure is HttpRequestException or OperationCanceledException or IOException or SocketException
        || body.ClientFault is not null
        || context.RequestAborted.IsCancellationRequested;

    private ForwardResult Classify(
        HttpContext context, ForwardMessage message, ReplayableBody body, string target, Exception failure, ForwardingReports reports)
    {
        var cancelledHere = context.RequestAborted.IsCancellationRequested;
        if (body.ClientFault is not null && !cancelledHere)
        {
            return ForwardResult.ClientFault;
        }

        if (LacksHttp2(failure))
        {
            if (_http2Only.Forget(target))
            {
                return ForwardResult.NotExecuted;
            }

            reports.NoHttp2(target);
            return ForwardResult.NoHttp2;
        }

        if (message.WasDeclined || WasDeclinedBefore(message, failure))
        {
            return ForwardResult.NotExecuted;
        }

        if (!message.MayHaveBeenSent)
        {
            if (!cancelledHere)
            {
                var why = failure is OperationCanceledException ? "no connection in time" : failure.GetBaseException().Message;
                reports.Unreachable(target, TlsFailure.Explain(failure) ?? why);
            }

            return ForwardResult.Unreachable;
        }

        if (!cancelledHere)
        {
            reports.Broken(target, failure);
        }

        return ForwardResult.OutcomeUnknown;
    }

    // What has left over HTTP/2 once, the handler takes to a new connection only if the leader has declared it unprocessed; a
    // leader that stops then takes none.
    private static bool WasDeclinedBefore(ForwardMessage message, Exception failure) =>
        message is { IsHttp2: true, MayHaveBeenSent: true }
        && failure is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError,
        };

    // A listener for HTTP/1.1 says so to the first bytes of HTTP/2 (RFC 9113 section 7), one with TLS when the protocol is
    // negotiated. Neither has seen a request.
    private static bool LacksHttp2(Exception failure) =>
        failure is HttpRequestException { HttpRequestError: HttpRequestError.VersionNegotiationError }
            or HttpRequestException { InnerException: HttpProtocolException { ErrorCode: Http11Required } };
}
