using Ha.Forwarding;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Ha.Hosting;

/// <summary>Where the application put <c>UseHa()</c>, collected while its pipeline is built.</summary>
internal sealed class HaPipeline
{
    // What UseRouting() leaves in the properties of the pipeline it was called on.
    private const string RoutingKey = "__EndpointRouteBuilder";

    private readonly List<(IDictionary<string, object?> Properties, bool RoutingRan)> _places = [];

    /// <summary>True once the application has placed the write forwarding itself.</summary>
    public bool UseHaWasCalled => _places.Count > 0;

    /// <summary>Remembers one call of <c>UseHa()</c>.</summary>
    public void Place(IDictionary<string, object?> properties) => _places.Add((properties, properties.ContainsKey(RoutingKey)));

    /// <summary>
    /// Metadata that nobody reads is a promise that nobody keeps: a GET that must run on the leader would run anywhere.
    /// Call it once the whole pipeline is described.
    /// </summary>
    /// <exception cref="InvalidOperationException">An endpoint carries metadata that has no effect.</exception>
    public void RefuseIgnoredMetadata(EndpointDataSource? endpoints)
    {
        var tooEarly = UseHaWasCalled && _places.TrueForAll(place => !place.RoutingRan && place.Properties.ContainsKey(RoutingKey));
        if (endpoints is null || (UseHaWasCalled && !tooEarly))
        {
            return;
        }

        foreach (var endpoint in endpoints.Endpoints)
        {
            if (endpoint.Metadata.GetMetadata<IHaMetadata>() is { } metadata)
            {
                var name = metadata.GetType().Name.Replace(nameof(Attribute), "", StringComparison.Ordinal);
                throw new InvalidOperationException(tooEarly
                    ? $"Endpoint '{Name(endpoint)}' carries {name}, which is not known where app.UseHa() stands: call it after app.UseRouting()."
                    : $"Endpoint '{Name(endpoint)}' carries {name}, which has no effect without app.UseHa(): call it (after app.UseRouting(), if the application calls that).");
            }
        }
    }

    private static string Name(Endpoint endpoint) =>
        endpoint.DisplayName ?? (endpoint as RouteEndpoint)?.RoutePattern.RawText ?? "without a name";
}
