using Ha.Security;
using Microsoft.AspNetCore.Http;

namespace Ha.Heartbeat;

/// <summary>
/// <c>POST /_ha/heartbeat</c> of a node with a fixed leader. Whoever sends a heartbeat elects, and must learn that nobody may
/// be elected beside a leader that needs no lease. Signed for a caller with a key, as far as this node has one: then it is
/// believed against everything. Thread-safe.
/// </summary>
/// <param name="clusterId">This node's.</param>
/// <param name="keys">Keys to verify requests with and to sign with; may be empty.</param>
/// <param name="clock">Time for <c>created</c>.</param>
/// <param name="rejected">Told of each refusal.</param>
internal sealed class FixedLeaderEndpoint(string clusterId, KeyRing keys, TimeProvider clock, Action rejected)
{
    private readonly HeartbeatRefusal _refusal = HeartbeatRefusal.FixedLeader(clusterId);

    public Task HandleAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            return HeartbeatRefusal.Method.WriteAsync(context);
        }

        rejected();
        if (keys.Signer is { } key && HttpSignature.Verify(keys, context.Request, out var request, out _) == SignatureVerdict.Valid)
        {
            context.Response.StatusCode = _refusal.Status;
            HttpSignature.Sign(context.Response, key, _refusal.Body, request, clock.GetUtcNow());
        }

        return _refusal.WriteAsync(context);
    }
}
