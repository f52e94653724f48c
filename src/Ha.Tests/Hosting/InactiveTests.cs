using System.Net;
using Ha.Hosting;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Tests.Hosting;

/// <summary>Without variables the plugin is not there.</summary>
public class InactiveTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_pipeline_is_the_very_delegate_that_the_app_described(bool callsUseHa)
    {
        using var app = (IDisposable)TestApp.Create(TestApp.Inactive);
        var services = ((WebApplication)app).Services;
        RequestDelegate end = _ => Task.CompletedTask;
        var builder = new ApplicationBuilder(services);
        new HaStartupFilter().Configure(inner =>
        {
            if (callsUseHa)
            {
                inner.UseHa();
            }

            inner.Use(_ => end);
        })(builder);
        Assert.Same(end, builder.Build());
    }

    [Fact]
    public async Task No_endpoint_is_mapped_and_no_header_is_added()
    {
        await using var app = TestApp.Create(TestApp.Inactive);
        app.MapPost("/notes", () => Results.Ok());
        await app.StartAsync();
        using var client = app.GetTestClient();
        foreach (var path in new[] { "/_ha", "/_ha/leader", "/_ha/peers", "/_ha/healthz", "/_ha/healthz/ready" })
        {
            using var missing = await client.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
            Assert.Empty(missing.Headers);
        }

        using var written = await client.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent(""));
        Assert.Equal(HttpStatusCode.OK, written.StatusCode);
        Assert.Empty(written.Headers);
        Assert.Single(app.Services.GetRequiredService<EndpointDataSource>().Endpoints);
    }

    [Fact]
    public async Task Nothing_runs_after_the_start()
    {
        await using var app = TestApp.Create(TestApp.Inactive, builder =>
        {
            builder.Services.AddSingleton<ElectionTelemetry>(_ => throw new InvalidOperationException("nobody needs telemetry"));
            builder.Services.AddSingleton<HaMetrics>(_ => throw new InvalidOperationException("nobody needs a meter"));
        });
        await app.StartAsync();
        var hosted = Assert.IsType<HaLifecycleService>(app.Services.GetServices<IHostedService>().Single(s => s is HaLifecycleService));
        Assert.True(hosted.StoppingAsync(default).IsCompletedSuccessfully);
        Assert.True(hosted.StoppedAsync(default).IsCompletedSuccessfully);
        Assert.Null(app.Services.GetRequiredService<HaNode>().Control);
    }

    [Fact]
    public async Task This_node_leads_with_epoch_zero()
    {
        await using var app = TestApp.Create(TestApp.Inactive);
        var leader = app.Services.GetRequiredService<ILeaderProvider>();
        Assert.True(leader.IsLeader);
        Assert.Null(leader.RedirectTarget);
        Assert.True(leader.Ready.IsCompletedSuccessfully);
        Assert.Equal((true, 0L, Timeout.InfiniteTimeSpan), (leader.Current.IsLeader, leader.Current.Epoch, leader.Current.LeaseRemaining));
        Assert.False(leader.Current.LeaseLost.IsCancellationRequested);
        Assert.Same(leader.Current, await leader.WaitForLeaderAsync());
    }

    [Fact]
    public async Task A_leader_background_service_runs()
    {
        await using var app = TestApp.Create(TestApp.Inactive, builder => builder.Services.AddHostedService(provider =>
            new LeaderBackgroundServiceTests.Job(provider.GetRequiredService<ILeaderProvider>(), NullLogger.Instance, TimeProvider.System)));
        await app.StartAsync();
        var job = app.Services.GetServices<IHostedService>().OfType<LeaderBackgroundServiceTests.Job>().Single();
        Assert.Equal(0, (await job.NextRunAsync()).Leadership.Epoch);
        await app.StopAsync();
    }

    [Fact]
    public async Task An_app_without_any_configuration_is_off()
    {
        var services = new ServiceCollection().AddHa();
        await using var provider = services.BuildServiceProvider();
        Assert.True(provider.GetRequiredService<ILeaderProvider>().IsLeader);
    }

    [Fact]
    public async Task A_refusal_that_an_exception_handler_meets_stays_an_error()
    {
        await using var app = TestApp.Create(TestApp.Inactive, builder => builder.Services.AddProblemDetails());
        app.UseExceptionHandler();
        app.MapPost("/notes", string () => throw new NotLeaderException());
        await app.StartAsync();
        using var client = app.GetTestClient();
        using var answer = await client.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent("x"));
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
    }

    [Fact]
    public async Task No_feature_and_no_service_is_needed_to_handle_a_request()
    {
        await using var app = TestApp.Create(TestApp.Inactive);
        var seen = 0;
        app.Run(context =>
        {
            seen = context.Features.Count(feature => feature.Key.Assembly == typeof(ILeaderProvider).Assembly);
            return Task.CompletedTask;
        });
        await app.StartAsync();
        using var client = app.GetTestClient();
        using var answer = await client.PostAsync(new Uri("/", UriKind.Relative), new StringContent("x"));
        Assert.Equal((HttpStatusCode.OK, 0), (answer.StatusCode, seen));
    }
}
