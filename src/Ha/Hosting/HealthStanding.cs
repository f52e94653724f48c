using Ha.Configuration;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Hosting;

/// <summary>Ties leadership to the application's health checks; see <see cref="HaOptions.StandsWhile"/>.</summary>
internal static class HealthStanding
{
    /// <exception cref="InvalidHaOptionsException">No health check has the tag, or one of this plugin's own has it.</exception>
    public static void Check(StandingRule rule, IServiceProvider services)
    {
        var tagged = services.GetService<HealthCheckService>() is null ? []
            : services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations
                .Where(registration => registration.Tags.Contains(rule.Tag))
                .ToArray();
        if (tagged.Length == 0)
        {
            throw new InvalidHaOptionsException(
            [
                $"StandsWhile(\"{rule.Tag}\") ties leadership to the health checks with that tag, and there is none: " +
                $"add one with builder.Services.AddHealthChecks().AddCheck(..., tags: [\"{rule.Tag}\"]), or correct the tag.",
            ]);
        }

        if (Array.Find(tagged, registration => LeadershipChecks.AreMadeBy(registration.Factory)) is { } own)
        {
            throw new InvalidHaOptionsException(
            [
                $"StandsWhile(\"{rule.Tag}\") ties leadership to the health check '{own.Name}', which asks who leads, so nobody would ever begin to; " +
                "remove the tag from it.",
            ]);
        }
    }

    /// <summary>Lets the node lead once there is a first result: in trouble it must not win the election that its start may bring.</summary>
    /// <returns>Ends when <paramref name="stopping"/> fires.</returns>
    public static async Task RunAsync(HaNode node, StandingRule rule, IServiceProvider services, ILogger logger, CancellationToken stopping)
    {
        if (node.Control is not { } control)
        {
            logger.HealthWithoutEffect(rule.Tag);
            return;
        }

        var ready = false;
        var checks = services.GetRequiredService<HealthCheckService>();
        await new HealthWatch(
            rule, CheckAsync, () => node.Provider.IsLeader, Report, e => logger.HealthNotPassedOn(e, rule.Tag), node.Clock).RunAsync(stopping);

        bool Report(string? trouble)
        {
            try
            {
                var matters = control.ReportHealth(trouble);
                if (!matters)
                {
                    logger.HealthWithoutEffect(rule.Tag);
                }

                return matters;
            }
            finally
            {
                if (!ready)
                {
                    control.SetReady();
                    ready = true;
                }
            }
        }

        async Task<string?> CheckAsync(CancellationToken cancellationToken)
        {
            var report = await checks.CheckHealthAsync(registration => registration.Tags.Contains(rule.Tag), cancellationToken);
            var failed = report.Entries
                .Where(entry => entry.Value.Status == HealthStatus.Unhealthy)
                .Select(entry => entry.Key)
                .Order(StringComparer.Ordinal);
            return report.Status == HealthStatus.Unhealthy ? $"health check {string.Join(", ", failed)} fails" : null;
        }
    }
}
