using Ha.Http;

namespace Ha;

/// <summary>
/// This endpoint runs on the leader only, whatever its HTTP method: a GET that must not be stale, a SignalR hub.
/// WebSockets, hubs, event streams and gRPC calls end with the leadership that let them in. Needs <c>app.UseHa()</c> after
/// routing. On one endpoint the more specific of this and <see cref="AllowOnAnyNodeAttribute"/> counts (an action's over
/// its controller's).
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequireLeaderAttribute : Attribute, INodeChoiceMetadata
{
    NodeChoice INodeChoiceMetadata.Choice => NodeChoice.LeaderOnly;
}

/// <summary>
/// This endpoint runs on the node that receives the request, whatever its HTTP method: a POST that only reads.
/// Needs <c>app.UseHa()</c> after routing.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class AllowOnAnyNodeAttribute : Attribute, INodeChoiceMetadata
{
    NodeChoice INodeChoiceMetadata.Choice => NodeChoice.AnyNode;
}

/// <summary>
/// This endpoint is never forwarded through another node: where that would be proxied the client is redirected to the
/// leader (307), and gRPC and WebSockets, whose clients follow no redirect, are refused (503). For what hangs on the
/// client's own connection: certificates, Negotiate, rules by port or address. Needs <c>app.UseHa()</c> after routing.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class NeverProxyAttribute : Attribute, IHaMetadata;

/// <summary>
/// This endpoint executes a write once however often it arrives with the same <c>Idempotency-Key</c>. In proxy
/// mode a write with that header, whose outcome is unknown, is sent again here instead of being answered 502.
/// Needs <c>app.UseHa()</c> after routing.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class HonorsIdempotencyKeyAttribute : Attribute, IHaMetadata;

/// <summary>
/// The endpoint answers for each item by itself (207 Multi-Status) and puts <c>ToProblemDetails()</c> of a
/// <see cref="NotLeaderException"/> or <see cref="OutcomeUnknownException"/> for those that met the end of leadership; so
/// a 207 of it is passed on although the lease was lost meanwhile. Needs <c>app.UseHa()</c> after routing.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class AnswersPerItemAttribute : Attribute, IHaMetadata;
