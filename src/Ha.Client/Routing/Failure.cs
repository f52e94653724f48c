using System.Net.Sockets;

namespace Ha.Client.Routing;

/// <summary>What the failures of a primary handler prove.</summary>
internal enum Proof
{
    /// <summary>A handler of the app: only exceptions that say in so many words that no connection came about.</summary>
    Exceptions,

    /// <summary>
    /// One of the runtime's handlers that takes no <see cref="SentMark"/>: also the form in which it reports its connect
    /// timeout. It must not be given <c>Expect: 100-continue</c>: it may fail to connect for a second copy.
    /// </summary>
    RuntimeExceptions,

    /// <summary>A <c>SocketsHttpHandler</c>, made by this package or by the app: <see cref="SentMark"/> knows.</summary>
    Mark,
}

/// <summary>Tells what the transport's failures prove. Where they prove nothing, the outcome is unknown.</summary>
internal static class Failure
{
    private const long RefusedStream = 7;

    /// <summary>True for what a network can do; anything else is a bug, or the caller's own cancellation, and goes up.</summary>
    public static bool IsOfTransport(Exception error, CancellationToken cancellationToken) =>
        error is HttpRequestException or IOException or SocketException
        || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    /// <param name="error">What the inner handler threw.</param>
    /// <param name="mark">The mark of the attempt.</param>
    /// <param name="proof">What the handler's failures prove.</param>
    /// <param name="timedOut">The attempt was given up, so the exception only says that.</param>
    public static bool NothingWasSent(Exception error, SentMark mark, Proof proof, bool timedOut) => error switch
    {
        _ when proof == Proof.Mark && mark.Tells => !mark.Sent,
        _ when timedOut => false,
        HttpRequestException http => http.HttpRequestError is HttpRequestError.NameResolutionError
            or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError,
        OperationCanceledException { InnerException: TimeoutException } => proof != Proof.Exceptions,

        // From the handler's look at the address of a connection that was reset as soon as it was made.
        SocketException => proof != Proof.Exceptions,
        _ => false,
    };

    /// <summary>
    /// True when the peer reset the stream as refused, which guarantees that it was not processed at all (RFC 9113 section
    /// 8.7). What the handler had sent before, if anything, was declared so as well, or it would not have come to this.
    /// </summary>
    public static bool IsRefusedStream(Exception error) =>
        error is HttpRequestException { InnerException: HttpProtocolException { ErrorCode: RefusedStream } };

    /// <summary>The innermost message says most: the outer one is "An error occurred while sending the request."</summary>
    public static string Describe(Exception error)
    {
        // The connect timeout's cause is a canceled socket, which says nothing.
        var cause = error is OperationCanceledException { InnerException: TimeoutException timeout } ? timeout : error.GetBaseException();
        return error is HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } http
            ? $"{http.HttpRequestError}: {cause.Message}"
            : cause.Message;
    }
}
