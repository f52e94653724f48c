using Ha.Configuration;
using Ha.Endpoints;
using Ha.Forwarding;
using Ha.Http;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>
/// Puts <c>/_ha/*</c> and, unless the application calls <c>UseHa()</c>, the write forwarding before everything else.
/// When the plugin is off the pipeline stays what the application made it.
/// </summary>
internal sealed class HaStartupFilter : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        var services = app.ApplicationServices;
        var pipeline = services.GetRequiredService<HaPipeline>();
        RefuseObsoleteHost(services);
        if (services.GetRequiredService<HaNode>().Settings.IsActive)
        {
            app.Use(inner => Entry(inner, services));
            app.Use(inner => services.GetRequiredService<ForwardingServices>().CreateArrival(inner).InvokeAsync);

            // Asked when the pipeline is built, that is after the application has described all of it.
            app.Use(inner => pipeline.UseHaWasCalled
                ? services.GetRequiredService<ForwardingServices>().CreateOutermost(inner).InvokeAsync
                : Forwarding(inner, services, routingRan: false));
        }

        next(app);
        var endpoints = services.GetService<EndpointDataSource>();
        pipeline.RefuseWhatNobodySees(endpoints);
        if (services.GetRequiredService<HaNode>().Settings is { IsActive: true } settings)
        {
            WarnOfHubs(services.GetRequiredService<ILogger<HaStartupFilter>>(), endpoints, settings.Prefixes);
        }
    };

    private static void WarnOfHubs(ILogger logger, EndpointDataSource? endpoints, PathPrefixes prefixes)
    {
        foreach (var hub in UndecidedHubs.In(endpoints, prefixes))
        {
            logger.HubUndecided(hub);
        }
    }

    /// <summary>
    /// <c>WebHost</c> tells no service that it has started or is about to stop: its node would never lead, and never hand over.
    /// </summary>
    private static void RefuseObsoleteHost(IServiceProvider services)
    {
        if (services.GetService<IHost>() is null && services.GetRequiredService<HaSettings>().IsActive)
        {
            throw new InvalidOperationException(
                "AddHa() needs the generic host, and this one was made by WebHostBuilder or WebHost.CreateDefaultBuilder, which are obsolete: " +
                "build it with WebApplication.CreateBuilder, or Host.CreateDefaultBuilder().ConfigureWebHostDefaults(...); " +
                "in tests, new HostBuilder().ConfigureWebHost(web => web.UseTestServer()...).");
        }
    }

    private static RequestDelegate Entry(RequestDelegate next, IServiceProvider services)
    {
        var node = services.GetRequiredService<HaNode>();
        var shutdown = services.GetRequiredService<ShutdownSignal>();
        var endpoints = NodeEndpoints.Create(
            node,
            services.GetRequiredService<ElectionTelemetry>(),
            shutdown,
            services.GetRequiredService<OwnAddress>(),
            services.GetRequiredService<ILoggerFactory>());
        return new HaEntryMiddleware(next, endpoints, new LeaderHeaders(node.Provider, node.Settings), shutdown.Token).InvokeAsync;
    }

    /// <summary>The write forwarding before <paramref name="next"/>; when the plugin is off, <paramref name="next"/> itself.</summary>
    public static RequestDelegate Forwarding(RequestDelegate next, IServiceProvider services, bool routingRan) =>
        services.GetRequiredService<HaNode>().Settings.IsActive
            ? services.GetRequiredService<ForwardingServices>().Create(next, routingRan).InvokeAsync
            : next;
}
