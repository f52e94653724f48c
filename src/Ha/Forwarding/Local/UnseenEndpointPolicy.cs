using System.Runtime.CompilerServices;
using Ha.Http;
using Ha.Leadership;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Forwarding.Local;

/// <summary>
/// Where routing finds an endpoint whose metadata counts, it puts a guard before it: reached by a way on which
/// <c>UseHa()</c> did not read that metadata, it throws instead of running, as ASP.NET Core's own endpoints do without
/// <c>UseAuthorization()</c>. All other endpoints are left as they are.
/// </summary>
internal sealed class UnseenEndpointPolicy(IServiceProvider services) : MatcherPolicy, IEndpointSelectorPolicy
{
    private readonly ConditionalWeakTable<Endpoint, Endpoint> _guarded = [];

    /// <summary>After all that choose or replace endpoints.</summary>
    public override int Order => int.MaxValue;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        (ContainsDynamicEndpoints(endpoints) || endpoints.Any(endpoint => HaMetadata.MustBeSeen(endpoint.Metadata)))
        && services.GetRequiredService<HaNode>().Settings.IsActive;

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            var candidate = candidates[i];
            var guarded = _guarded.GetValue(candidate.Endpoint, Guard);
            if (candidates.IsValidCandidate(i) && guarded != candidate.Endpoint)
            {
                candidates.ReplaceEndpoint(i, guarded, candidate.Values);
            }
        }

        return Task.CompletedTask;
    }

    /// <returns>The endpoint itself where there is nothing to guard.</returns>
    private static Endpoint Guard(Endpoint endpoint)
    {
        if (endpoint is not RouteEndpoint { RequestDelegate: { } run } route || !HaMetadata.MustBeSeen(endpoint.Metadata))
        {
            return endpoint;
        }

        var mark = new SeenMark();
        return new RouteEndpoint(
            context => mark.IsOn(context) ? run(context) : throw Unseen(route),
            route.RoutePattern,
            route.Order,
            new EndpointMetadataCollection([.. route.Metadata, mark]),
            route.DisplayName);
    }

    private static InvalidOperationException Unseen(RouteEndpoint endpoint) => new(
        $"Endpoint '{endpoint.DisplayName}' carries {string.Join(", ", endpoint.Metadata.GetOrderedMetadata<IHaMetadata>().Select(HaMetadata.Name))}, " +
        "but the request did not come through app.UseHa() with it. Call app.UseHa() on every way to this endpoint: in its branch of the pipeline too, " +
        "and after UseRouting, UsePathBase and UseRewriter; and do without ShortCircuit().");
}
