using Ha.Forwarding;
using Ha.Hosting;
using Ha.Leadership;
using Microsoft.AspNetCore.Routing;

namespace Ha.Tests.Pipelines;

/// <summary>The services of a node, less what a node has one of because it has one pipeline.</summary>
/// <param name="shared">The node's own services.</param>
/// <param name="node">The node with the settings of the case.</param>
internal sealed class CaseServices(IServiceProvider shared, ForwardingNode node) : IServiceProvider
{
    private static readonly DefaultEndpointDataSource _none = new();

    private readonly HaPipeline _places = new();

    public object? GetService(Type serviceType) =>
        serviceType == typeof(HaPipeline) ? _places
        : serviceType == typeof(HaNode) ? node.Node
        : serviceType == typeof(ForwardingServices) ? node.Forwarding

        // A cluster refuses to start where metadata has no effect; here it is one more pipeline that must do no harm.
        : serviceType == typeof(EndpointDataSource) ? _none
        : serviceType == typeof(IServiceProvider) ? this
        : shared.GetService(serviceType);
}
