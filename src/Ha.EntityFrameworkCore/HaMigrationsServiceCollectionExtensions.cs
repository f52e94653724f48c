using Ha;
using Ha.EntityFrameworkCore.Migrating;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Migrations at the start of a cluster.</summary>
public static class HaMigrationsServiceCollectionExtensions
{
    /// <summary>
    /// Brings the database up to date before this node serves anything: the first node of a cluster that starts runs the pending
    /// migrations, the others wait and find nothing to do. Needs no leader: a new release starts while the old one leads.
    /// </summary>
    /// <typeparam name="TContext">A context registered by <c>AddDbContext</c>, as a pool or as a factory.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="InvalidOperationException">The package <c>Ha</c> has another version than this one.</exception>
    /// <remarks>
    /// <c>UseSeeding</c> and <c>UseAsyncSeeding</c> run with the migrations, past the fence. A failure stops the start. Several contexts
    /// migrate in the order of the calls.
    /// </remarks>
    public static IServiceCollection AddHaMigrations<TContext>(this IServiceCollection services)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        SameVersion.Check();
        if (services.Any(service => service.ImplementationType == typeof(MigrationAtStart<TContext>)))
        {
            return services;
        }

        // Before the application's own services, of which some read the tables as they start; in the order of the calls.
        var place = 0;
        for (var i = 0; i < services.Count; i++)
        {
            if (!services[i].IsKeyedService && services[i].ImplementationType?.IsAssignableTo(typeof(IMigrationAtStart)) == true)
            {
                place = i + 1;
            }
        }

        services.Insert(place, ServiceDescriptor.Singleton<IHostedService, MigrationAtStart<TContext>>());
        return services;
    }
}
