using Microsoft.Extensions.DependencyInjection;

namespace Ha.Hosting;

/// <summary>Which <see cref="ILeaderProvider"/> the container has: the plugin's, or one that the application brought or put around it.</summary>
internal static class LeaderRegistration
{
    private static readonly Func<IServiceProvider, ILeaderProvider> _own = HaNodeFactory.CreateProvider;

    /// <summary>Adds the plugin's, unless there is one already; one that is added later wins by itself.</summary>
    public static void Add(IServiceCollection services)
    {
        if (!services.Any(IsLeader))
        {
            services.AddSingleton(_own);
        }
    }

    /// <exception cref="InvalidOperationException">The application's is not a singleton.</exception>
    public static bool IsApplications(IServiceCollection services)
    {
        var leader = services.Last(IsLeader);
        if (leader.Lifetime != ServiceLifetime.Singleton)
        {
            throw new InvalidOperationException(
                $"{nameof(ILeaderProvider)} is registered as {leader.Lifetime}, so each part of the application would ask another one who leads; " +
                "register it with AddSingleton.");
        }

        return !ReferenceEquals(leader.ImplementationFactory, _own);
    }

    private static bool IsLeader(ServiceDescriptor service) => service.ServiceType == typeof(ILeaderProvider) && !service.IsKeyedService;
}
