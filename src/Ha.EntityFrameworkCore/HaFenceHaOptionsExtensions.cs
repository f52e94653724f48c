using Ha;
using Ha.EntityFrameworkCore.Fencing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The fence of Entity Framework Core, raised by each new leader.</summary>
public static class HaFenceHaOptionsExtensions
{
    /// <summary>
    /// Lets each new leader close the fence of this context's database to all epochs before, before it admits its first write. May be
    /// called for several contexts, and after <see cref="HaOptions.RaiseFence"/> was set: all are raised.
    /// </summary>
    /// <typeparam name="TContext">A context with <c>UseHaFence</c>, registered by <c>AddDbContext</c>, as a pool or as a factory.</typeparam>
    /// <param name="options">What <c>AddHa</c> gives to its delegate.</param>
    /// <returns><paramref name="options"/>.</returns>
    /// <exception cref="InvalidOperationException">The package <c>Ha</c> has another version than this one.</exception>
    /// <remarks>The raise fails with an <see cref="InvalidOperationException"/>, in the log, where the context, its fence or the table is missing.</remarks>
    public static HaOptions FenceWith<TContext>(this HaOptions options)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(options);
        SameVersion.Check();
        var others = options.RaiseFence;
        options.RaiseFence = async (epoch, cancellationToken) =>
        {
            var highest = others is null ? 0 : await others(epoch, cancellationToken);
            return Math.Max(highest, await RaiseAsync<TContext>(options.ApplicationServices, epoch, cancellationToken));
        };

        return options;
    }

    private static async ValueTask<long> RaiseAsync<TContext>(IServiceProvider? services, long epoch, CancellationToken cancellationToken)
        where TContext : DbContext
    {
        if (services is null)
        {
            throw new InvalidOperationException($"FenceWith<{typeof(TContext).Name}>() needs the application's services: call it inside AddHa(…).");
        }

        await using var scope = services.CreateAsyncScope();
        await using var found = await FoundContext<TContext>.FindAsync(scope.ServiceProvider, "FenceWith", cancellationToken);
        var context = found.Context;
        if (FenceBook.ExtensionOf(context) is null)
        {
            var name = typeof(TContext).Name;
            throw new InvalidOperationException(
                $"FenceWith<{name}>(): {name} has no fence. AddDbContext<{name}>((services, o) => o.….UseHaFence(services)).");
        }

        var book = context.GetService<FenceBook>();
        var fence = book.FenceOf(context);
        await context.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            var connection = context.Database.GetDbConnection();
            var before = await fence.RaiseAsync(connection, epoch, cancellationToken);
            if (before <= epoch)
            {
                book.Note(fence, connection, epoch);
            }

            return before;
        }
        finally
        {
            await context.Database.CloseConnectionAsync();
        }
    }
}
