using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ha.Telemetry;

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
