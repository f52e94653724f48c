using System.Text;
using System.Text.Json;
using Ha.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Ha.Heartbeat;

/// <summary>
/// An answer that is no message. No key signs it, because nothing of the request could be trusted; only
/// <see cref="FixedLeaderEndpoint"/> does. The common ones are made once: refusing garbage must be cheap. No text repeats
/// anything of the request.
/// </summary>
internal sealed class HeartbeatRefusal
{
    public static readonly HeartbeatRefusal Method = new(405, "method_not_allowed", "Heartbeats are sent by POST.");
    public static readonly HeartbeatRefusal NotJson = new(415, "not_json", "Send application/json in UTF-8 without a content coding.");
    public static readonly HeartbeatRefusal TooLarge = new(413, "too_large", "A heartbeat has at most 16 KiB.");
    public static readonly HeartbeatRefusal TooSlow = new(408, "too_slow", "The body did not arrive in time.");
    public static readonly HeartbeatRefusal BadFraming = new(400, "malformed", "The body's framing is broken.");

    private static readonly HeartbeatRefusal[] _unauthorized =
        [.. Enum.GetValues<SignatureVerdict>().Select(verdict => new HeartbeatRefusal(
            401, verdict.Word(), "The heartbeat is not signed by a key of this cluster; BASE_CLUSTER_SECRET or BASE_PEER_KEYS must be the same on every node."))];

    private const string FixedLeaderReason = "fixed_leader";

    private readonly byte[] _body;

    private HeartbeatRefusal(int status, string reason, string detail, string members = "")
    {
        Status = status;
        Reason = reason;

        // Every text is a constant of this assembly without quotes, or escaped already.
        _body = Encoding.ASCII.GetBytes(
            $$"""{"title":"{{ReasonPhrases.GetReasonPhrase(status)}}","status":{{status}},"detail":"{{detail}}","error":"{{reason}}"{{members}}}""");
    }

    /// <summary>One of a few fixed words, for logs and counters.</summary>
    public string Reason { get; }

    public int Status { get; }

    public ReadOnlySpan<byte> Body => _body;

    /// <summary>How a node with a fixed leader refuses. A node of another cluster may have the same key, so it says whose it is.</summary>
    public static HeartbeatRefusal FixedLeader(string clusterId) => new(
        StatusCodes.Status412PreconditionFailed,
        FixedLeaderReason,
        "This node has a fixed leader and takes part in no election; BASE_STATIC_LEADER must be set on every node or on none.",
        OfCluster(clusterId));

    /// <summary>True for an answer by which a node of this cluster with a fixed leader refuses.</summary>
    public static bool IsOfFixedLeader(int status, ReadOnlySpan<byte> body, string clusterId) =>
        status == StatusCodes.Status412PreconditionFailed
        && body.IndexOf(Encoding.ASCII.GetBytes($"\"error\":\"{FixedLeaderReason}\"{OfCluster(clusterId)}")) >= 0;

    private static string OfCluster(string clusterId) => $",\"cluster_id\":\"{JsonEncodedText.Encode(clusterId)}\"";

    public static HeartbeatRefusal Unsigned(SignatureVerdict verdict) => _unauthorized[(int)verdict];

    /// <param name="reason">From <see cref="BeatJson"/>.</param>
    public static HeartbeatRefusal Malformed(string reason) => new(400, "malformed", $"The heartbeat is {reason}.");

    public Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = Status;
        response.ContentType = "application/problem+json";
        response.ContentLength = _body.Length;
        switch (Status)
        {
            case StatusCodes.Status405MethodNotAllowed:
                response.Headers.Allow = HttpMethods.Post;
                break;
            case StatusCodes.Status401Unauthorized:
                response.Headers.WWWAuthenticate = "Signature realm=\"ha\"";
                break;
            case StatusCodes.Status408RequestTimeout or StatusCodes.Status413PayloadTooLarge
                when !HttpProtocol.IsHttp2(context.Request.Protocol) && !HttpProtocol.IsHttp3(context.Request.Protocol):
                // The rest of the body is not worth reading.
                response.Headers.Connection = "close";
                break;
        }

        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.Body.WriteAsync(_body, context.RequestAborted).AsTask();
    }
}
