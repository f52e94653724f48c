using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>Event ids 1420-1439: what is said once, at the start, of a set-up that is probably not what was meant.</summary>
internal static partial class SetupLog
{
    [LoggerMessage(1420, LogLevel.Information, "Ha is off, because none of BASE_STATIC_LEADER, BASE_LOCAL_TARGET, BASE_PEERS and BASE_LEASE_STORE is set; so these have no effect: {Keys}.")]
    public static partial void IgnoredWhileOff(this ILogger logger, string keys);

    [LoggerMessage(1421, LogLevel.Warning, "Not a setting of Ha, so without effect here: {Keys}. If one was meant to be, correct its name: docs/configuration.md lists all.")]
    public static partial void UnknownKeys(this ILogger logger, string keys);

    [LoggerMessage(1422, LogLevel.Warning, "This node is a cluster of its own and leads whatever others do: BASE_LOCAL_TARGET ({Target}) is set, BASE_PEERS is not. Set BASE_PEERS to the URLs of all nodes, the same on each; for a single node set it to that one URL.")]
    public static partial void Alone(this ILogger logger, string target);

    [LoggerMessage(1423, LogLevel.Warning, "BASE_STATIC_LEADER ({Leader}) wins, so there is no election and BASE_PEERS has no effect. Remove one of the two, on every node the same.")]
    public static partial void PeersIgnored(this ILogger logger, string leader);

    [LoggerMessage(1424, LogLevel.Warning, "This node does not reach itself at BASE_LOCAL_TARGET ({Target}), so others hardly will: {Why}. It listens on {Addresses}. Set BASE_LOCAL_TARGET to a URL that leads there, or listen where it leads (ASPNETCORE_URLS).")]
    public static partial void OwnAddressNotReached(this ILogger logger, string target, string why, string addresses);

    [LoggerMessage(1425, LogLevel.Error, "BASE_LOCAL_TARGET ({Target}) leads to {Somebody} instead of this node, in {Elsewhere} of {Calls} calls. Set it to a URL that leads to this node alone, not to another node or a balancer.")]
    public static partial void OwnAddressLeadsElsewhere(this ILogger logger, string target, string somebody, int elsewhere, int calls);

    [LoggerMessage(1426, LogLevel.Error, "BASE_LOCAL_TARGET ({Target}) takes HTTP/2 only, and heartbeats come over HTTP/1.1: no other node hears this one. Set Kestrel's Protocols to Http1AndHttp2 there.")]
    public static partial void OwnAddressTakesHttp2Only(this ILogger logger, string target);

    [LoggerMessage(1427, LogLevel.Warning, "BASE_STATIC_LEADER ({Leader}) wins, so there is no election and BASE_LEASE_STORE has no effect. Remove one of the two, on every node the same.")]
    public static partial void LeaseStoreIgnored(this ILogger logger, string leader);

    [LoggerMessage(1428, LogLevel.Information, "{Provider} says who leads. It has no {Control}, so a handoff waits for no running write, POST /_ha/step-down answers 409, and the members are not listed.")]
    public static partial void ProviderWithoutControl(this ILogger logger, string provider, string control);

    [LoggerMessage(1429, LogLevel.Information, "BASE_LOCAL_TARGET ({Target}) takes HTTP/2 only. Members speak that with each other, but probes, balancers and tools that ask over HTTP/1.1 get 400: give them a second endpoint with Protocols Http1, or use https with Protocols Http1AndHttp2.")]
    public static partial void OwnAddressTakesClearHttp2Only(this ILogger logger, string target);
}
