using Ha.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Places the write forwarding in a pipeline.</summary>
public static class HaApplicationBuilderExtensions
{
    /// <summary>
    /// Decides here, instead of first in the pipeline, whether a request runs on this node or on the leader. Needed
    /// where endpoint metadata counts (<c>RequireLeader</c>, <c>AllowOnAnyNode</c> and their like):
    /// put it after <c>UseRouting</c>, if the application calls that itself, and after <c>UseCors</c>. Adds nothing
    /// when the plugin is off.
    /// </summary>
    /// <param name="app">The pipeline.</param>
    /// <returns><paramref name="app"/>.</returns>
    /// <exception cref="InvalidOperationException"><c>AddHa()</c> was not called.</exception>
    public static IApplicationBuilder UseHa(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var pipeline = app.ApplicationServices.GetService<HaPipeline>()
            ?? throw new InvalidOperationException("UseHa() needs the services of the plugin: call builder.Services.AddHa() first.");
        pipeline.Place(app.Properties);

        // The node is made when the pipeline is, at the start: an application may do a lot between UseHa() and Run().
        return app.Use(next => HaStartupFilter.Forwarding(next, app.ApplicationServices, routingRan: true));
    }
}
