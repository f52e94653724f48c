using Ha.Http;
using Ha.Leadership;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding;

/// <summary>What becomes of a request on this node, at this moment.</summary>
internal enum ForwardOutcome
{
    /// <summary>No business of ours: a read, an exempt path, an endpoint that runs anywhere.</summary>
    Pass,

    /// <summary>This node leads and admits it.</summary>
    RunHere,

    /// <summary>The leader is elsewhere: 307.</summary>
    Redirect,

    /// <summary>The leader is elsewhere: stream it there.</summary>
    Proxy,

    /// <summary>Nobody can take it now; somebody may soon.</summary>
    Hold,

    /// <summary>Another node sent it here and this one does not lead: 503, never a second hop.</summary>
    RefuseSecondHop,

    /// <summary>The endpoint is never forwarded, and the client follows no redirect: 503.</summary>
    RefuseProxy,

    /// <summary>This node leads, and its handler has said that it does not: 503, never a second run.</summary>
    RefuseSecondRun,

    /// <summary>
    /// Its client has seen a later epoch than the one that this node, or the leader it knows of, leads in: 503. Somebody else leads.
    /// </summary>
    RefuseStale,

    /// <summary>A WebSocket over HTTP/2 or HTTP/3 for the leader: 503, there is no way to pass it on.</summary>
    RefuseExtendedConnect,
}

/// <summary>What the decision looks at; nothing of it changes while a request is held.</summary>
internal readonly record struct RequestFacts
{
    public required string Method { get; init; }
    public required PathString Path { get; init; }
    public NodeChoice Choice { get; init; }

    /// <summary>True: another node sent it, see <see cref="HaHeaders.ForwardedBy"/>.</summary>
    public bool Forwarded { get; init; }

    /// <summary>The value of <see cref="HaHeaders.SeenEpoch"/>; 0: none, or none that can be read.</summary>
    public long SeenEpoch { get; init; }

    /// <summary>The value of <see cref="HaHeaders.Forward"/>.</summary>
    public string? Override { get; init; }

    public bool Grpc { get; init; }
    public bool Upgrade { get; init; }

    /// <summary>See <see cref="NeverProxyAttribute"/>.</summary>
    public bool NeverProxy { get; init; }
    public bool ExtendedConnect { get; init; }

    /// <summary>True: a handler on this node refused it.</summary>
    public bool RefusedHere { get; init; }

    /// <summary>
    /// Not null: a read that needs the leader only because this node is behind, and for how long it may be held at most.
    /// </summary>
    public TimeSpan? ReadPatience { get; init; }

    /// <summary>True: it was sent to another node before it came to run here, and that one may have executed it.</summary>
    public bool MayHaveBeenExecuted { get; init; }
}

/// <summary>The fixed part of the decision.</summary>
/// <param name="Mode">What the options say.</param>
/// <param name="AllowOverride">Whether a request may choose otherwise.</param>
internal sealed record ForwardPolicy(ForwardMode Mode, bool AllowOverride);

/// <summary>Decides and touches nothing.</summary>
internal static class ForwardDecision
{
    private const string OwnRoutes = HaRoutes.Root + "/";

    public static ForwardOutcome Decide(in RequestFacts facts, LeadershipSnapshot leadership, ForwardPolicy policy)
    {
        if (!NeedsLeader(facts.Method, facts.Choice) || IsExempt(facts.Path))
        {
            return ForwardOutcome.Pass;
        }

        if (leadership.AdmitsNow())
        {
            return IsStale(facts, leadership) ? ForwardOutcome.RefuseStale
                : facts.RefusedHere ? ForwardOutcome.RefuseSecondRun : ForwardOutcome.RunHere;
        }

        if (facts.Forwarded)
        {
            // Others know of the new lease before the store does. Refused, they would come back some time after it does.
            return leadership.AwaitsFence ? ForwardOutcome.Hold : ForwardOutcome.RefuseSecondHop;
        }

        if (facts.ExtendedConnect)
        {
            return ForwardOutcome.RefuseExtendedConnect;
        }

        if (!leadership.LeadsElsewhere())
        {
            return ForwardOutcome.Hold;
        }

        if (facts.NeverProxy)
        {
            return facts.Grpc || facts.Upgrade ? ForwardOutcome.RefuseProxy : ForwardOutcome.Redirect;
        }

        // That leader would refuse, and the request would be held here for another one on the word of its client alone.
        return !ProxyWanted(facts, policy) ? ForwardOutcome.Redirect
            : IsStale(facts, leadership) ? ForwardOutcome.RefuseStale
            : ForwardOutcome.Proxy;
    }

    // A static leader has no epoch, and is no earlier one than any.
    private static bool IsStale(in RequestFacts facts, LeadershipSnapshot leadership) =>
        leadership.Epoch > 0 && facts.SeenEpoch > leadership.Epoch;

    /// <summary>True for a request that runs on the leader only.</summary>
    public static bool NeedsLeader(string method, NodeChoice choice) => choice switch
    {
        NodeChoice.LeaderOnly => true,
        NodeChoice.AnyNode => false,
        _ => WriteMethods.Contains(method),
    };

    // Ordinal on purpose: what merely resembles our routes is the application's, and a write.
    private static bool IsExempt(PathString path) =>
        path.Value is { } value
        && (value.StartsWith(OwnRoutes, StringComparison.Ordinal)
            || value.StartsWith(HaRoutes.GrpcHealth, StringComparison.Ordinal)
            || string.Equals(value, HaRoutes.Root, StringComparison.Ordinal));

    /// <summary>
    /// True when a leader elsewhere is reached through this node. gRPC and WebSocket clients follow no redirects; a browser leaves the
    /// cookie with a position behind on one, and <c>Authorization</c>, and other clients a header that they give to members only.
    /// </summary>
    public static bool ProxyWanted(in RequestFacts facts, ForwardPolicy policy)
    {
        var wish = policy.AllowOverride ? facts.Override : null;
        return facts.Grpc || facts.Upgrade || facts.ReadPatience is not null || Is(wish, "proxy")
            || (policy.Mode == ForwardMode.Proxy && !Is(wish, "redirect"));
    }

    private static bool Is(string? wish, string mode) => string.Equals(wish, mode, StringComparison.OrdinalIgnoreCase);
}
