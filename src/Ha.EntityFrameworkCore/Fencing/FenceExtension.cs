using Ha.EntityFrameworkCore.Model;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>What <c>UseHaFence</c> leaves in a context's options. Immutable.</summary>
internal sealed class FenceExtension : IDbContextOptionsExtension
{
    private readonly IServiceProvider _services;

    public FenceExtension(IServiceProvider services, HaFenceOptions options)
    {
        _services = services;
        Shape = new FenceShape(options.Table, options.Schema, options.OwnsTable, options.IdleLimit, options.AnswersTable);
        Outside = options.OutsideLeadership;
        Info = new ExtensionInfo(this);
    }

    public FenceShape Shape { get; }

    public OutsideLeadership Outside { get; }

    public DbContextOptionsExtensionInfo Info { get; }

    /// <exception cref="InvalidOperationException">There is none: <c>AddHa()</c> is missing.</exception>
    public ILeaderProvider Leader => _services.GetService<ILeaderProvider>()
        ?? throw new InvalidOperationException($"UseHaFence needs an {nameof(ILeaderProvider)}: call builder.Services.AddHa().");

    public void ApplyServices(IServiceCollection services)
    {
        services.AddSingleton<FenceBook>();
        services.AddScoped<ContextFence>();
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IInterceptor, FencedCommands>());
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IInterceptor, FencedTransactions>());
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IInterceptor, FencedSaves>());
        services.TryAddEnumerable(ServiceDescriptor.Scoped<IConventionSetPlugin, FenceTablePlugin>());
    }

    public void Validate(IDbContextOptions options)
    {
    }

    private sealed class ExtensionInfo(FenceExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => $"HaFence={Shape.Table} ";

        private FenceShape Shape => ((FenceExtension)Extension).Shape;

        public override int GetServiceProviderHashCode() => Shape.GetHashCode();

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo { Shape: var shape } && shape == Shape;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["Ha:Fence"] = Shape.ToString();
    }
}

/// <summary>What a model, and all that hangs on it, depends on.</summary>
internal sealed record FenceShape(string Table, string? Schema, bool OwnsTable, TimeSpan IdleLimit, string? AnswersTable);
