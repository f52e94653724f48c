using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>A context of the application's container, however it was registered there.</summary>
internal sealed class FoundContext<TContext> : IAsyncDisposable
    where TContext : DbContext
{
    private readonly bool _owned;

    private FoundContext(TContext context, bool owned) => (Context, _owned) = (context, owned);

    public TContext Context { get; }

    /// <param name="services">Of a scope.</param>
    /// <param name="asker">The method that needs it, for the message.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    /// <exception cref="InvalidOperationException">It is not registered.</exception>
    public static async Task<FoundContext<TContext>> FindAsync(IServiceProvider services, string asker, CancellationToken cancellationToken)
    {
        if (services.GetService<TContext>() is { } context)
        {
            return new FoundContext<TContext>(context, owned: false);
        }

        if (services.GetService<IDbContextFactory<TContext>>() is { } factory)
        {
            return new FoundContext<TContext>(await factory.CreateDbContextAsync(cancellationToken), owned: true);
        }

        var name = typeof(TContext).Name;
        throw new InvalidOperationException($"{asker}<{name}>(): {name} is not registered. Call AddDbContext<{name}>(…), as a pool or as a factory.");
    }

    public ValueTask DisposeAsync() => _owned ? Context.DisposeAsync() : ValueTask.CompletedTask;
}
