using Ha.Http;
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
    /// <exception cref="InvalidOperationException">An endpoint carries metadata that has no effect, or runs before <c>UseHa()</c>.</exception>
    public void RefuseWhatNobodySees(EndpointDataSource? source)
    {
        foreach (var endpoint in source?.Endpoints ?? [])
        {
            if (Problem(endpoint) is { } problem)
            {
                throw new InvalidOperationException($"Endpoint '{Name(endpoint)}' {problem}");
            }
        }
    }

    private string? Problem(Endpoint endpoint)
    {
        var metadata = endpoint.Metadata.GetMetadata<IHaMetadata>();
        if (UseHaWasCalled && !StandsTooEarly)
        {
            return RunsAtOnce(endpoint) && !MayRunAnywhere(endpoint)
                ? $"{(metadata is null ? "takes writes" : $"carries {HaMetadata.Name(metadata)}")} and ShortCircuit(), with which it runs before app.UseHa(), " +
                    "on whichever node is asked: remove ShortCircuit(), or say AllowOnAnyNode()."
                : null;
        }

        return metadata is null ? null
            : UseHaWasCalled ? $"carries {HaMetadata.Name(metadata)}, which is not known where app.UseHa() stands: call it after app.UseRouting()."
            : $"carries {HaMetadata.Name(metadata)}, which has no effect without app.UseHa(): call it (after app.UseRouting(), if the application calls that).";
    }

    private bool StandsTooEarly => _places.TrueForAll(place => !place.RoutingRan && place.Properties.ContainsKey(RoutingKey));

    // Routing's own metadata is not public.
    private static bool RunsAtOnce(Endpoint endpoint) => endpoint.Metadata.Any(item => item.GetType().Name is "ShortCircuitMetadata");

    private static bool MayRunAnywhere(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHaMetadata>() is not null
            ? !HaMetadata.MustBeSeen(endpoint.Metadata)
            : endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Any(WriteMethods.Contains) != true;

    private static string Name(Endpoint endpoint) =>
        endpoint.DisplayName ?? (endpoint as RouteEndpoint)?.RoutePattern.RawText ?? "without a name";
}
