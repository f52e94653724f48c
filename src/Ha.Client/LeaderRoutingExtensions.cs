using Ha.Client;
using Ha.Client.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Leader routing for clients of <see cref="IHttpClientFactory"/>.</summary>
public static class LeaderRoutingExtensions
{
    /// <summary>
    /// Sends this client's writes to the leader of a cluster and its reads to all nodes in turn; repeats what certainly
    /// was not executed. The client's base address becomes the first node unless it has one already.
    /// </summary>
    /// <remarks>
    /// The routing handler stands next to the primary handler, whatever the order of the calls, so that handlers of the
    /// app run once a call. A handler that retries around it is safe: a message keeps its key, and what may have been
    /// executed is not sent again without one.
    /// Calling it again for the same client changes the options only.
    /// </remarks>
    /// <param name="builder">The named or typed client.</param>
    /// <param name="configure">Sets at least <see cref="LeaderRoutingOptions.Nodes"/>.</param>
    /// <returns><paramref name="builder"/>.</returns>
    /// <exception cref="OptionsValidationException">When the client is created: an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">When the client is created: its primary handler follows redirects by itself.</exception>
    public static IHttpClientBuilder AddLeaderRouting(this IHttpClientBuilder builder, Action<LeaderRoutingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        var (name, services) = (builder.Name, builder.Services);
        services.AddOptions<LeaderRoutingOptions>(name).Configure(configure);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LeaderRoutingOptions>, LeaderRoutingOptionsValidator>());
        services.TryAddSingleton<RoutingSetup>();
        services.AddOptions<HttpClientFactoryOptions>(name).PostConfigure<RoutingSetup>((options, setup) => setup.Apply(name, options));
        return builder;
    }
}
