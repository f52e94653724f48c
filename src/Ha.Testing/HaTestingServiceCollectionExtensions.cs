using Ha;
using Ha.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts leadership that a test decides about into an application.</summary>
public static class HaTestingServiceCollectionExtensions
{
    /// <summary>
    /// Lets <paramref name="leadership"/> say who leads, whatever the application and its environment have set up: no election, no
    /// port, no key. Call it where a test has the last word (<c>ConfigureTestServices</c>); an application that never calls
    /// <c>AddHa()</c> is one with it.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="leadership">A <see cref="FakeLeadership"/>, a <see cref="TestNode"/>, or a provider of your own.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <remarks>
    /// Of <see cref="HaOptions"/> it clears the settings that say who elects and by which keys; how writes are forwarded, held and
    /// drained stays. <see cref="HaOptions.RaiseFence"/> is called by <paramref name="leadership"/> instead.
    /// </remarks>
    public static IServiceCollection AddTestLeadership(this IServiceCollection services, ILeaderProvider leadership)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(leadership);
        services.AddHa();
        services.AddSingleton(leadership);
        services.AddSingleton<IHostedService>(provider => new FenceHookup(leadership, provider.GetRequiredService<IOptions<HaOptions>>().Value));
        return services.PostConfigure<HaOptions>(options => TakeOver(options, leadership.Current.NodeId));
    }

    private static void TakeOver(HaOptions options, string nodeId)
    {
        options.NodeId = nodeId;
        options.LocalTarget = options.PublicTarget = options.StaticLeader = options.LeaseStore = null;
        options.Witness = false;
        options.Peers.Clear();
        options.ClusterSecrets.Clear();
        options.PeerKeys.Clear();
        options.ClusterSecretFile = options.NodeKey = options.NodeKeyFile = null;
        options.CaFile = options.ClientCertFile = options.ClientKeyFile = null;
    }
}
