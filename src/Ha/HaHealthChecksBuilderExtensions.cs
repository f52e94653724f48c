using Ha.Telemetry;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Health checks on leadership. The registration order of <c>AddHa</c> and these does not matter.</summary>
public static class HaHealthChecksBuilderExtensions
{
    /// <summary>
    /// Healthy while a leader is known, this node or another; degraded without one, because reads are still served.
    /// </summary>
    /// <param name="builder">What <c>AddHealthChecks()</c> returned.</param>
    /// <param name="name">The check's name, unique in the application.</param>
    /// <param name="tags">For filtering.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static IHealthChecksBuilder AddHa(this IHealthChecksBuilder builder, string name = "ha", IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name, LeadershipChecks.KnownLeader, HealthStatus.Degraded, tags));
    }

    /// <summary>
    /// Healthy while this node leads, else unhealthy. For routing to the leader alone; as a readiness check of all
    /// nodes it would keep the followers from ever being ready.
    /// </summary>
    /// <param name="builder">What <c>AddHealthChecks()</c> returned.</param>
    /// <param name="name">The check's name, unique in the application.</param>
    /// <param name="tags">For filtering.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static IHealthChecksBuilder AddHaLeader(this IHealthChecksBuilder builder, string name = "ha-leader", IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name, LeadershipChecks.IsLeader, HealthStatus.Unhealthy, tags));
    }
}
