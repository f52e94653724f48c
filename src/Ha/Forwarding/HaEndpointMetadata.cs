using Ha.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Ha
{
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
}

namespace Ha.Forwarding
{
    /// <summary>Where an endpoint may run.</summary>
    internal enum NodeChoice
    {
        /// <summary>Nothing said: the HTTP method decides.</summary>
        ByMethod,

        /// <summary>See <see cref="RequireLeaderAttribute"/>.</summary>
        LeaderOnly,

        /// <summary>See <see cref="AllowOnAnyNodeAttribute"/>.</summary>
        AnyNode,
    }

    /// <summary>Marks everything on an endpoint that has no effect without <c>UseHa()</c>, so that the start can refuse.</summary>
    internal interface IHaMetadata;

    internal static class HaMetadata
    {
        /// <summary>
        /// True when an endpoint would break a promise if nobody read its metadata. One that may run anywhere may also run
        /// wherever an ordinary one would.
        /// </summary>
        public static bool MustBeSeen(EndpointMetadataCollection metadata) =>
            metadata.GetMetadata<INodeChoiceMetadata>()?.Choice == NodeChoice.LeaderOnly
            || metadata.GetOrderedMetadata<IHaMetadata>().Any(item => item is not INodeChoiceMetadata);

        /// <summary>As it is written, for messages.</summary>
        public static string Name(IHaMetadata metadata) => metadata.GetType().Name.Replace(nameof(Attribute), "", StringComparison.Ordinal);
    }

    /// <summary>One interface for both choices: the last one on an endpoint is the most specific and counts.</summary>
    internal interface INodeChoiceMetadata : IHaMetadata
    {
        NodeChoice Choice { get; }
    }
}
