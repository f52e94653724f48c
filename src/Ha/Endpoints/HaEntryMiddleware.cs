using Ha.Endpoints.GrpcHealth;
using Ha.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>
/// First in the pipeline of an active node: answers <c>/_ha/*</c>, and gRPC health where that is on, itself, whatever
/// the app does with routing, authentication or fallbacks, and puts the leader into the headers of every response.
/// </summary>
internal sealed class HaEntryMiddleware(
    RequestDelegate next, HaEndpoints endpoints, LeaderHeaders headers, GrpcHealthEndpoint? grpcHealth = null)
{
    private static readonly PathString _prefix = new("/_ha");

    public Task InvokeAsync(HttpContext context)
    {
        headers.Register(context);
        var path = context.Request.Path;
        var text = path.Value;
        if (text is { Length: >= 4 } && text[1] == '_'
            && path.StartsWithSegments(_prefix, StringComparison.OrdinalIgnoreCase, out var route))
        {
            return endpoints.HandleAsync(context, route);
        }

        if (grpcHealth is not null && text?.StartsWith(GrpcHealthEndpoint.Prefix, StringComparison.Ordinal) == true)
        {
            return grpcHealth.HandleAsync(context, text[GrpcHealthEndpoint.Prefix.Length..]);
        }

        // Nobody outside may speak for a node that refused a write.
        context.Request.Headers.Remove(HaHeaders.NotExecuted);
        return next(context);
    }
}
