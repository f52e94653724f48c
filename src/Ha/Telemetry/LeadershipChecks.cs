using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ha.Telemetry;

/// <summary>How the checks on leadership are made, so that one of them is known for what it is.</summary>
internal static class LeadershipChecks
{
    public static readonly Func<IServiceProvider, IHealthCheck> KnownLeader =
        services => new KnownLeaderCheck(services.GetRequiredService<ILeaderProvider>());

    public static readonly Func<IServiceProvider, IHealthCheck> IsLeader =
        services => new IsLeaderCheck(services.GetRequiredService<ILeaderProvider>());

    public static bool AreMadeBy(Func<IServiceProvider, IHealthCheck> factory) => factory == KnownLeader || factory == IsLeader;
}

internal sealed class KnownLeaderCheck(ILeaderProvider provider) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var snapshot = provider.Current;
        return Task.FromResult(snapshot.KnowsLeader
            ? HealthCheckResult.Healthy($"{snapshot.LeaderId} leads.", LeadershipData.Of(snapshot))
            : new HealthCheckResult(
                context.Registration.FailureStatus, snapshot.WhyNobodyLeads is { } why ? $"No leader is known: {why}." : "No leader is known."));
    }
}

internal sealed class IsLeaderCheck(ILeaderProvider provider) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var snapshot = provider.Current;
        return Task.FromResult(snapshot.IsLeader
            ? HealthCheckResult.Healthy("This node leads.", LeadershipData.Of(snapshot))
            : new HealthCheckResult(context.Registration.FailureStatus, "This node does not lead."));
    }
}

file static class LeadershipData
{
    public static Dictionary<string, object> Of(LeadershipSnapshot snapshot) => new(StringComparer.Ordinal)
    {
        ["leader"] = snapshot.LeaderId ?? "",
        ["leader_url"] = snapshot.LeaderUrl ?? "",
        ["epoch"] = snapshot.Epoch,
    };
}
