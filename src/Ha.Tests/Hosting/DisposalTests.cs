using Ha.Hosting;
using Ha.Leadership;
using Ha.Tests.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Ha.Tests.Hosting;

/// <summary>What was started ends with its host, however that comes about.</summary>
public class DisposalTests
{
    private static readonly (string Key, string? Value)[] _alone = [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "a")];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_host_that_is_disposed_of_without_a_stop_leads_no_more(bool asynchronously)
    {
        var app = TestApp.Create(_alone);
        await app.StartAsync();
        var node = app.Services.GetRequiredService<HaNode>();
        var led = node.Provider.Current;
        Assert.True(led.IsLeader);

        await DisposeAsync(app, asynchronously);

        Assert.False(node.Provider.IsLeader);
        Assert.False(led.IsLeader);
        Assert.True(led.LeaseLost.IsCancellationRequested);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => node.Provider.WaitForLeaderAsync(Soon()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_provider_that_the_application_has_used_is_disposed_of_too(bool asynchronously)
    {
        var app = TestApp.Create(_alone);
        await app.StartAsync();
        var provider = app.Services.GetRequiredService<ILeaderProvider>();
        Assert.True(provider.IsLeader);

        await DisposeAsync(app, asynchronously);

        Assert.False(provider.IsLeader);
    }

    [Fact]
    public async Task A_start_that_fails_leaves_no_election_behind()
    {
        var app = TestApp.Create(Settings.Cluster(), builder => builder.Services.AddHostedService<Broken>());
        var node = app.Services.GetRequiredService<HaNode>();

        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => app.RunAsync());

        await Assert.ThrowsAsync<ObjectDisposedException>(() => node.Provider.WaitForLeaderAsync(Soon()));
    }

    /// <summary>Watches of files end with this token.</summary>
    [Fact]
    public void A_host_that_is_disposed_of_without_a_stop_ends_what_waits_for_its_shutdown()
    {
        var signal = new ShutdownSignal();
        var token = signal.Token;
        signal.Dispose();
        Assert.True(token.IsCancellationRequested);
    }

    private static async Task DisposeAsync(WebApplication app, bool asynchronously)
    {
        if (asynchronously)
        {
            await app.DisposeAsync();
        }
        else
        {
            ((IDisposable)app).Dispose();
        }
    }

    private static CancellationToken Soon() => new CancellationTokenSource(TimeSpan.FromSeconds(5)).Token;

    private sealed class Broken : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => throw new InvalidTimeZoneException("the port is taken, say");

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
