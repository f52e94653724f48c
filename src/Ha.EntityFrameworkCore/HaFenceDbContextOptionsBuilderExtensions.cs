using System.Diagnostics.CodeAnalysis;
using Ha;
using Ha.EntityFrameworkCore;
using Ha.EntityFrameworkCore.Fencing;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Puts a context behind the fence.</summary>
[SuppressMessage("ApiDesign", "RS0026:Do not add multiple public overloads with optional parameters", Justification = "A pair, as EF Core has it.")]
public static class HaFenceDbContextOptionsBuilderExtensions
{
    /// <summary>
    /// What this context writes commits only under the newest epoch that its database has seen, in the same transaction:
    /// <c>AddDbContext&lt;Shop&gt;((services, o) =&gt; o.UseNpgsql(…).UseHaFence(services))</c>. The fence's table becomes a part of the
    /// model. Raise it with <c>AddHa(o =&gt; o.FenceWith&lt;Shop&gt;())</c>.
    /// </summary>
    /// <param name="builder">Of a relational provider.</param>
    /// <param name="services">The application's; the <see cref="ILeaderProvider"/> is resolved at the first write without leadership in scope.</param>
    /// <param name="configure">Changes the defaults.</param>
    /// <returns><paramref name="builder"/>.</returns>
    /// <exception cref="InvalidOperationException">The package <c>Ha</c> has another version than this one.</exception>
    /// <remarks>
    /// A write of a node that does not lead any more ends with a <see cref="NotLeaderException"/>, one whose connection broke during
    /// its commit with an <see cref="OutcomeUnknownException"/>. Everything else stays what it is without the fence.
    /// </remarks>
    public static DbContextOptionsBuilder UseHaFence(
        this DbContextOptionsBuilder builder, IServiceProvider services, Action<HaFenceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(services);
        SameVersion.Check();
        var options = new HaFenceOptions();
        configure?.Invoke(options);
        ((IDbContextOptionsBuilderInfrastructure)builder).AddOrUpdateExtension(new FenceExtension(services, options));
        return builder;
    }

    /// <inheritdoc cref="UseHaFence(DbContextOptionsBuilder, IServiceProvider, Action{HaFenceOptions})"/>
    /// <typeparam name="TContext">The context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseHaFence<TContext>(
        this DbContextOptionsBuilder<TContext> builder, IServiceProvider services, Action<HaFenceOptions>? configure = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseHaFence((DbContextOptionsBuilder)builder, services, configure);
}
