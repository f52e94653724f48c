using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Hosting;

/// <summary>Hosts in which a node could not do its work refuse to start.</summary>
public class HostKindTests
{
    private static readonly (string Key, string? Value)[] _peers =
        [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_PEERS", "http://a:1,http://b:1"), ("BASE_CLUSTER_SECRET", "0123456789abcdef")];

    [Fact]
    public async Task Peers_without_a_web_server_stop_the_start_before_anything_is_elected()
    {
        using var host = Worker(_peers);
        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("BASE_PEERS is set, but this host has no web server", error.Message, StringComparison.Ordinal);
        Assert.Contains("build it with WebApplication.CreateBuilder", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://a:1", true)]
    [InlineData("http://b:1", false)]
    public async Task A_fixed_leader_needs_no_web_server(string leader, bool leads)
    {
        using var host = Worker(("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_STATIC_LEADER", leader));
        await host.StartAsync();
        Assert.Equal(leads, host.Services.GetRequiredService<ILeaderProvider>().IsLeader);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_worker_without_variables_starts()
    {
        using var host = Worker();
        await host.StartAsync();
        Assert.True(host.Services.GetRequiredService<ILeaderProvider>().IsLeader);
        await host.StopAsync();
    }

#pragma warning disable ASPDEPR004, ASPDEPR008 // That it is obsolete is what this is about.
    [Fact]
    public void The_obsolete_web_host_is_refused_with_what_to_use_instead()
    {
        var error = Assert.Throws<InvalidOperationException>(() => new TestServer(ObsoleteHost(TestApp.FixedLeader)).Dispose());
        Assert.Contains("AddHa() needs the generic host", error.Message, StringComparison.Ordinal);
        Assert.Contains("new HostBuilder().ConfigureWebHost(web => web.UseTestServer()", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_obsolete_web_host_starts_while_the_plugin_is_off()
    {
        using var server = new TestServer(ObsoleteHost(TestApp.Inactive));
        using var client = server.CreateClient();
        using var answer = await client.PostAsync(new Uri("/", UriKind.Relative), new StringContent(""));
        Assert.True(answer.IsSuccessStatusCode);
    }

    private static IWebHostBuilder ObsoleteHost((string Key, string? Value)[] variables) =>
        new WebHostBuilder()
            .ConfigureAppConfiguration(configuration => configuration.AddInMemoryCollection(Pairs(variables)))
            .ConfigureServices(services => services.AddHa())
            .Configure(app => app.Run(_ => Task.CompletedTask));
#pragma warning restore ASPDEPR004, ASPDEPR008

    private static IHost Worker(params (string Key, string? Value)[] variables)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(Pairs(variables));
        builder.Services.AddHa();
        return builder.Build();
    }

    private static IEnumerable<KeyValuePair<string, string?>> Pairs((string Key, string? Value)[] variables) =>
        variables.Select(variable => KeyValuePair.Create(variable.Key, variable.Value));
}
