using Grpc.Net.ClientFactory;
using Ha.Grpc.Client;
using Ha.Grpc.Client.Balancing;
using Ha.Grpc.Client.Repeating;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Calls to the leader for gRPC clients of the factory.</summary>
public static class HaGrpcClientBuilderExtensions
{
    /// <summary>
    /// Sends the calls of this client, whose address is such as <c>ha:///a:5001,b:5001</c>, to the leader, and repeats what certainly
    /// was not executed.
    /// </summary>
    /// <remarks>
    /// Over TLS, unless <c>ConfigureChannel</c> sets other credentials; whatever it sets counts, called before or after. Interceptors that
    /// were added before this call stand around the repeats, those added after it see every attempt. Calling it again for the same client
    /// changes the options only.
    /// </remarks>
    /// <param name="builder">What <c>AddGrpcClient</c> has returned.</param>
    /// <param name="configure">Sets what differs from the defaults.</param>
    /// <returns><paramref name="builder"/>.</returns>
    /// <exception cref="InvalidOperationException">
    /// The builder is not a gRPC client's; or, when the client is created, the address or the handler does not serve.
    /// </exception>
    /// <exception cref="OptionsValidationException">When the client is created: an option is out of range.</exception>
    public static IHttpClientBuilder AddHaLeader(this IHttpClientBuilder builder, Action<HaLeaderOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (name, services) = (builder.Name, builder.Services);
        if (configure is not null)
        {
            services.Configure(name, configure);
        }

        if (services.Any(service => service.ServiceType == typeof(RepeatInterceptor) && name.Equals(service.ServiceKey)))
        {
            return builder;
        }

        builder.AddInterceptor(services => services.GetRequiredKeyedService<RepeatInterceptor>(name));
        services.AddKeyedSingleton(name, (services, _) => new RepeatInterceptor(Options(services, name)));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<HaLeaderOptions>, LeaderOptionsValidator>());
        services.TryAddSingleton<ChannelsEnd>();
        services.AddOptions<GrpcClientFactoryOptions>(name).PostConfigure<IServiceProvider>((factory, services) =>
            factory.ChannelOptionsActions.Add(channel =>
                LeaderSetup.Apply(channel, Options(services, name), services.GetRequiredService<ChannelsEnd>().Token)));
        return builder;
    }

    private static HaLeaderOptions Options(IServiceProvider services, string name) =>
        services.GetRequiredService<IOptionsMonitor<HaLeaderOptions>>().Get(name);
}
