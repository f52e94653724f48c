using Ha.Tests.Endpoints;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ha.Tests.Telemetry;

public sealed class HealthCheckTests
{
    [Theory]
    [InlineData("a", "a", HealthStatus.Healthy, HealthStatus.Healthy)]
    [InlineData("b", "a", HealthStatus.Healthy, HealthStatus.Unhealthy)]
    [InlineData("b", null, HealthStatus.Degraded, HealthStatus.Unhealthy)]
    public async Task They_follow_leadership(string self, string? leader, HealthStatus known, HealthStatus leads)
    {
        await using var node = new TestNode(self, leader);
        var report = await CheckAsync(node.Provider);
        Assert.Equal(known, report.Entries["ha"].Status);
        Assert.Equal(leads, report.Entries["ha-leader"].Status);
    }

    [Fact]
    public async Task A_lease_that_ran_out_is_no_leader()
    {
        await using var node = new TestNode("a", "a");
        node.Clock.Advance(TimeSpan.FromMinutes(1));
        var report = await CheckAsync(node.Provider);
        Assert.Equal(HealthStatus.Degraded, report.Entries["ha"].Status);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries["ha-leader"].Status);
    }

    [Fact]
    public async Task Without_the_plugin_switched_on_both_are_healthy()
    {
        var report = await CheckAsync(new StaticLeader("only"));
        Assert.Equal(HealthStatus.Healthy, report.Status);
        Assert.Equal("only", report.Entries["ha"].Data["leader"]);
    }

    private static async Task<HealthReport> CheckAsync(ILeaderProvider provider)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(provider);
        services.AddHealthChecks().AddHa().AddHaLeader();
        await using var built = services.BuildServiceProvider();
        return await built.GetRequiredService<HealthCheckService>().CheckHealthAsync();
    }
}
