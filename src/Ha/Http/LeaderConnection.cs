using Microsoft.AspNetCore.Http;

namespace Ha.Http;

/// <summary>
/// What goes on for as long as its client stays connected: WebSockets, hubs, event streams, gRPC calls. No handover waits for
/// it, so it ends with the leadership that it was let in under, or a node that led once would go on answering.
/// </summary>
internal static class LeaderConnection
{
    /// <summary>
    /// Breaks the connection (over HTTP/2 and HTTP/3 the stream) when <paramref name="over"/> fires; clients connect
    /// anew and find the next leader. Dispose it with the request: that waits for a break under way, which must not meet
    /// the next request on the connection.
    /// </summary>
    public static CancellationTokenRegistration EndWith(HttpContext context, CancellationToken over) =>
        over.UnsafeRegister(static context => ((HttpContext)context!).Abort(), context);

    /// <summary>True for an answer that may go on for hours.</summary>
    public static bool IsStream(string? contentType) =>
        contentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true || HaProblem.IsGrpc(contentType);
}
