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

    /// <summary>A mock that was not told everything answers null, and every request would fail by it.</summary>
    /// <exception cref="InvalidOperationException">A member that may not be null is.</exception>
    public static void RefuseIncomplete(ILeaderProvider provider)
    {
        var missing = provider.Current is null ? nameof(ILeaderProvider.Current)
            : provider.GetChangeToken() is null ? nameof(ILeaderProvider.GetChangeToken)
            : null;
        if (missing is not null)
        {
            throw new InvalidOperationException(
                $"{nameof(ILeaderProvider)}.{missing} of {provider.GetType().Name} returned null; for a mock: Setup(leader => leader.{missing}…).Returns(…).");
        }
    }

    private static bool IsLeader(ServiceDescriptor service) => service.ServiceType == typeof(ILeaderProvider) && !service.IsKeyedService;
}
