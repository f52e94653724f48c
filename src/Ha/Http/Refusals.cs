using Microsoft.AspNetCore.Http;

namespace Ha.Http;

/// <summary>Every refusal of the write path. What says "not executed" holds whoever asks and whatever comes later.</summary>
internal static class Refusals
{
    public static HaProblem NoLeader(string detail) =>
        Unavailable("no leader", detail) with { LeaderKnown = false };

    public static readonly HaProblem NoLeaderInTime =
        NoLeader("No leader is known, and none appeared while the request was held. Nothing was executed.");

    public static readonly HaProblem HoldFull =
        NoLeader("No leader is known, and as many writes as this node holds are waiting already. Nothing was executed.");

    public static readonly HaProblem Stopping =
        NoLeader("No leader is known, and this node is shutting down. Nothing was executed.");

    public static readonly HaProblem Unreachable =
        Unavailable("leader unreachable", "The leader cannot be connected to. Nothing was executed.") with { LeaderKnown = true };

    public static readonly HaProblem BodyConsumed =
        Unavailable("not executed", "The leader changed while the body was on its way. Nothing was executed.");

    public static readonly HaProblem BodyReadBefore =
        Unavailable(
            "not executed", "Something on this node has read the body before it could be sent to the leader. Nothing was executed.");

    public static readonly HaProblem GivenUp =
        Unavailable("not executed", "The request was cancelled on this node before the leader had it. Nothing was executed.");

    public static readonly HaProblem NoHttp2 =
        Unavailable("not executed", "gRPC needs HTTP/2, which the leader's BASE_LOCAL_TARGET does not take. Nothing was executed.");

    public static readonly HaProblem NotProxied =
        Unavailable("not leader", "This endpoint is never forwarded through another node; connect to the leader. Nothing was executed.");

    public static readonly HaProblem StaleLeader =
        Unavailable("not leader", "The client has seen a later epoch than the leader's, so somebody else leads. Nothing was executed.");

    public static readonly HaProblem StreamNotForwarded =
        Unavailable("not leader", "WebSockets over HTTP/2 are not forwarded; connect over HTTP/1.1 or to the leader.");

    public static readonly HaProblem OutcomeUnknown =
        new(StatusCodes.Status502BadGateway, "outcome unknown", "The write may or may not have been executed; it was not repeated.");

    public static readonly HaProblem ReadBrokeOff =
        new(StatusCodes.Status502BadGateway, "outcome unknown", "The leader broke off before its answer.");

    public static readonly HaProblem Loop =
        new(StatusCodes.Status508LoopDetected, "loop detected", "The request came back to the node that forwarded it.");

    public static readonly HaProblem FollowedByAnother =
        Unavailable("not leader", "The request must see what a later leader than this one has written. Nothing was executed.");

    public static HaProblem NotLeader(string? leader, long? epoch) =>
        Unavailable("not leader", "This node is not the leader. Nothing was executed.") with
        {
            LeaderKnown = leader is not null,
            Leader = leader,
            Epoch = leader is null ? null : epoch,
        };

    private static HaProblem Unavailable(string error, string detail) =>
        new(StatusCodes.Status503ServiceUnavailable, error, detail) { RetryAfterSeconds = 1, NotExecuted = true };
}
