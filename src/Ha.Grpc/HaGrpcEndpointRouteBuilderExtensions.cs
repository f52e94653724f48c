using Grpc.AspNetCore.Server;
using Ha;
using Ha.Grpc.Health;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps gRPC's own health service.</summary>
public static class HaGrpcEndpointRouteBuilderExtensions
{
    // Before the application's own, on the same route: whatever name is not ours is answered by that one all the same.
    private const int BeforeOthers = -1;

    /// <summary>
    /// Serves <c>grpc.health.v1.Health</c>: <c>ha.Leader</c>, <c>quis.RaftLeader</c> and <see cref="HaGrpcOptions.LeaderServices"/> are
    /// <c>SERVING</c> on the leader only, the empty name as <c>/_ha/healthz/ready</c>, and any other name as the application's own
    /// health service says, if it has one. Needs no credentials and knows no time limit of the application's.
    /// </summary>
    /// <param name="endpoints">The application, or a branch of it.</param>
    /// <returns>For conventions, such as the host or port that it is served on.</returns>
    /// <exception cref="InvalidOperationException"><c>AddHaGrpc()</c> was not called, or this method twice; or a name is wrong.</exception>
    public static GrpcServiceEndpointConventionBuilder MapHaGrpcHealth(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var others = endpoints.ServiceProvider.GetService<OtherHealth>()
            ?? throw new InvalidOperationException("MapHaGrpcHealth() needs services: call builder.Services.AddHaGrpc() first.");
        if (endpoints.ServiceProvider.GetRequiredService<IOptions<HaGrpcOptions>>().Value.LeaderServices.Contains(""))
        {
            throw new InvalidOperationException(
                "HaGrpcOptions.LeaderServices holds the empty name, which stands for the node as a whole, leader or not: name the service.");
        }

        others.OursIsMapped();
        var builder = endpoints.MapGrpcService<LeaderHealth>();
        builder.Add(static endpoint =>
        {
            if (endpoint is RouteEndpointBuilder route && endpoint.Metadata.OfType<GrpcMethodMetadata>().Any())
            {
                route.Order = BeforeOthers;
            }
        });
        return builder.WithMetadata(new AllowAnonymousAttribute(), new DisableRequestTimeoutAttribute(), new DisableRateLimitingAttribute());
    }
}
