using Ha.Hosting;
using Microsoft.AspNetCore.Routing;

namespace Ha.Tests.Pipelines;

/// <summary>The services of a node, less what a node has one of because it has one pipeline.</summary>
internal sealed class CaseServices(IServiceProvider node) : IServiceProvider
{
    private static readonly DefaultEndpointDataSource _none = new();

    private readonly HaPipeline _places = new();

    public object? GetService(Type serviceType) =>
        serviceType == typeof(HaPipeline) ? _places

        // A cluster refuses to start where metadata has no effect; here it is one more pipeline that must do no harm.
        : serviceType == typeof(EndpointDataSource) ? _none
        : serviceType == typeof(IServiceProvider) ? this
        : node.GetService(serviceType);
}
