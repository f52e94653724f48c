using Ha.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.SignalR;

namespace Ha.Hosting;

/// <summary>
/// Hubs, Blazor's included, that do not say where they run. By its method the negotiation, a POST, goes to the leader and
/// the connection, a GET, stays on the node, which does not know it.
/// </summary>
internal static class UndecidedHubs
{
    /// <returns>Their routes; once each, although a hub has several endpoints.</returns>
    public static IEnumerable<string> In(EndpointDataSource? endpoints, PathPrefixes prefixes) =>
        from endpoint in (endpoints?.Endpoints ?? []).OfType<RouteEndpoint>()
        let metadata = endpoint.Metadata
        where metadata.GetMetadata<HubMetadata>() is not null
            && metadata.GetMetadata<NegotiateMetadata>() is null
            && metadata.GetMetadata<INodeChoiceMetadata>() is null
            && prefixes.ChoiceFor(new PathString($"/{endpoint.RoutePattern.RawText?.TrimStart('/')}")) == NodeChoice.ByMethod
        select endpoint.RoutePattern.RawText;
}
