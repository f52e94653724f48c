using System.Net.Sockets;
using Grpc.Core;
using Ha.Grpc.Client.Balancing;
using Ha.Grpc.Errors;

namespace Ha.Grpc.Client.Repeating;

/// <summary>Tells what the error of a call proves.</summary>
internal static class Failure
{
    private const long RefusedStream = 7;

    /// <summary>What calls that do not wait end with while nobody leads. No node has seen them.</summary>
    public static Status NoLeader(string why, Exception? cause = null) =>
        new(StatusCode.Unavailable, $"no leader: {why}", new NoLeaderException(cause));

    /// <returns>True: nothing was executed. False: a server says that it may have been. Null: nothing is known.</returns>
    public static bool? IsSafeToRepeat(RpcException error) =>
        Known.Of(error) ?? RetriableMark.In(error.Trailers) ?? (NothingWasExecuted(error.Status.DebugException) ? true : null);

    /// <summary>Nobody knows what came of the call, or its connection broke, or its stream was reset without a method's word.</summary>
    public static bool IsNoAnswer(Status status) =>
        status.StatusCode is StatusCode.Unavailable or StatusCode.Unknown || status.DebugException is HttpRequestException or IOException;

    public static string Describe(Status status) =>
        status.DebugException is { } cause ? cause.GetBaseException().Message : $"{status.StatusCode}: {status.Detail}";

    /// <param name="cause">Of an attempt that nobody between us and the connection has repeated.</param>
    public static bool NothingWasExecuted(Exception? cause) => cause switch
    {
        NoLeaderException or RefusedBodyException => true,
        { InnerException: RefusedBodyException } => true,
        HttpRequestException { InnerException: HttpProtocolException { ErrorCode: RefusedStream } } => true,
        HttpRequestException http => http.HttpRequestError is HttpRequestError.NameResolutionError
            or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError,

        // Alone it is the balancer's, which picks no connection that could not be made.
        SocketException => true,
        _ => false,
    };

    /// <summary>Rides on a status, as the picker of a channel can give no trailers.</summary>
    private sealed class NoLeaderException(Exception? cause) : Exception("No node leads.", cause);
}
