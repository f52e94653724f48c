using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints.GrpcHealth;

/// <summary>The status codes of gRPC that these calls end with; the numbers are the protocol's.</summary>
internal enum GrpcStatus
{
    Ok = 0,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// <summary>How a call ends.</summary>
/// <param name="Status">For programs.</param>
/// <param name="Message">For people: printable ASCII without a percent sign, so it needs no encoding.</param>
internal readonly record struct GrpcOutcome(GrpcStatus Status, string Message = "")
{
    public static GrpcOutcome Ok => default;

    /// <summary>Sends it as trailers, or as headers where nothing was sent yet ("trailers-only").</summary>
    public Task WriteAsync(HttpResponse response)
    {
        var status = ((int)Status).ToString(CultureInfo.InvariantCulture);
        if (response.HasStarted)
        {
            response.AppendTrailer("grpc-status", status);
            if (!string.IsNullOrEmpty(Message))
            {
                response.AppendTrailer("grpc-message", Message);
            }
        }
        else
        {
            response.Headers.GrpcStatus = status;
            response.Headers.GrpcMessage = Message;
        }

        return response.CompleteAsync();
    }
}
