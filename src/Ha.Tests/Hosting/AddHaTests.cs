using Ha.Leadership;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Hosting;

public class AddHaTests
{
    [Fact]
    public async Task Twice_runs_both_delegates_and_registers_once()
    {
        var services = new ServiceCollection();
        services.AddHa(o => o.NodeId = "first");
        var once = services.Count;
        services.AddHa(o => o.NodeId += " and second");
        services.AddHa();
        Assert.Equal(once + 1, services.Count);
        Assert.Single(services, s => s.ServiceType == typeof(ILeaderProvider));
        Assert.Single(services, s => s.ServiceType == typeof(IStartupFilter));
        Assert.Single(services, s => s.ImplementationType == typeof(Ha.Hosting.HaLifecycleService));
        Assert.Single(services, s => s.ImplementationType == typeof(Ha.Hosting.SetupCheck));
        await using var provider = services.BuildServiceProvider();
        Assert.Equal("first and second", provider.GetRequiredService<IOptions<HaOptions>>().Value.NodeId);
    }

    [Fact]
    public async Task The_delegate_has_the_last_word_over_the_variables()
    {
        await using var app = TestApp.Create(
            [("BASE_NODE_ID", "from-variable"), ("BASE_CLUSTER_ID", "blue")],
            builder => builder.Services.AddHa(o => o.NodeId = "from-code"),
            addHa: false);
        var options = app.Services.GetRequiredService<IOptions<HaOptions>>().Value;
        Assert.Equal(("from-code", "blue"), (options.NodeId, options.ClusterId));
    }

    [Fact]
    public async Task Wrong_settings_stop_the_start_with_one_message()
    {
        await using var app = TestApp.Create([("BASE_PEERS", "http://b"), ("BASE_LEASE_TIMEOUT", "400ms"), ("BASE_QUORUN", "off")]);
        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => app.StartAsync());
        Assert.StartsWith("Ha cannot start, 4 settings are wrong:", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_from_code_pass_the_same_check()
    {
        await using var app = TestApp.Create(
            TestApp.Inactive, builder => builder.Services.AddHa(o => o.LocalTarget = "no-scheme"), addHa: false);
        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => app.StartAsync());
        Assert.Contains("BASE_LOCAL_TARGET (no-scheme) has no scheme", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shutdown_that_does_not_fit_the_hosts_patience_is_refused()
    {
        await using var app = TestApp.Create(
            Configuration.Settings.Cluster(),
            builder => builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(5)));
        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => app.StartAsync());
        Assert.Contains(
            "BASE_SHUTDOWN_DELAY (0) + BASE_DRAIN_TIMEOUT (5s) + BASE_LEASE_TIMEOUT (1.5s) must fit HostOptions.ShutdownTimeout (5s)",
            error.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fixed_leader_needs_no_election()
    {
        await using var app = TestApp.Create(TestApp.FixedFollower);
        var node = app.Services.GetRequiredService<HaNode>();
        Assert.Null(node.Control);
        Assert.IsType<StaticLeader>(node.Provider);
        Assert.Equal((false, "http://b:1"), (node.Provider.IsLeader, node.Provider.RedirectTarget));
        Assert.Same(node.Provider, app.Services.GetRequiredService<ILeaderProvider>());
    }

    [Fact]
    public void UseHa_without_AddHa_names_the_missing_call()
    {
        var app = TestApp.Create(TestApp.Inactive, addHa: false);
        var error = Assert.Throws<InvalidOperationException>(() => app.UseHa());
        Assert.Contains("builder.Services.AddHa()", error.Message, StringComparison.Ordinal);
    }
}
