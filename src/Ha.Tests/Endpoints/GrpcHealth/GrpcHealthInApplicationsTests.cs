using System.Diagnostics;
using System.Diagnostics.Metrics;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Ha.Tests.Hosting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using HealthBase = Grpc.Health.V1.Health.HealthBase;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>gRPC health among the other things that an application has.</summary>
public sealed class GrpcHealthInApplicationsTests
{
    [Fact]
    public async Task Names_that_are_not_ours_are_answered_by_the_health_service_among_the_services()
    {
        await using var node = await GrpcNode.StartAsync("node-b", setup: new GrpcNodeSetup { Builder = AddTheirs });
        await AnswersBothAsync(node);
    }

    [Fact]
    public async Task Or_by_the_one_that_is_mapped_beside_ours()
    {
        await using var node = await GrpcNode.StartAsync(
            "node-b", setup: new GrpcNodeSetup { Builder = AddTheirs, App = app => app.MapGrpcService<HealthServiceImpl>() });
        await AnswersBothAsync(node);
    }

    [Fact]
    public async Task Or_by_one_that_is_all_the_applications_own()
    {
        await using var node = await GrpcNode.StartAsync("node-b", setup: new GrpcNodeSetup { App = app => app.MapGrpcService<TheirHealth>() });
        await AnswersBothAsync(node);
    }

    [Fact]
    public async Task Or_by_the_health_checks_of_the_application_which_run_at_that_moment()
    {
        var isHealthy = true;
        await using var node = await GrpcNode.StartAsync("node-b", setup: new GrpcNodeSetup
        {
            Builder = builder => builder.Services.AddGrpcHealthChecks(o => o.Services.Map("theirs", _ => true))
                .AddCheck("theirs", () => new HealthCheckResult(isHealthy ? HealthStatus.Healthy : HealthStatus.Unhealthy)),
            App = app => app.MapGrpcHealthChecksService(),
        });
        await AnswersBothAsync(node);
        isHealthy = false;
        using var check = await node.CheckAsync("theirs");
        Assert.Equal("NOT_SERVING 0", await check.RestAsync());
    }

    [Fact]
    public async Task A_watch_of_theirs_ends_with_the_node_too_and_is_counted()
    {
        await using var node = await GrpcNode.StartAsync("node-b", setup: new GrpcNodeSetup { Builder = AddTheirs, MaxWatches = 1 });
        using var watch = await node.WatchAsync("theirs");
        Assert.Equal("SERVING", await watch.NextAsync());
        node.App.Services.GetRequiredService<HealthServiceImpl>().SetStatus("theirs", ServingStatus.NotServing);
        Assert.Equal("NOT_SERVING", await watch.NextAsync());
        using var second = await node.WatchAsync("theirs");
        Assert.Equal("8", await second.RestAsync());
        node.Close();
        Assert.Equal("14", await watch.RestAsync());
    }

    [Fact]
    public async Task A_shutdown_does_not_wait_for_watches()
    {
        await using var app = await RunningAsync([("BASE_STATIC_LEADER", "http://a:1"), ("BASE_LOCAL_TARGET", "http://a:1")]);
        await EndsWithTheHostAsync(app);
    }

    [Fact]
    public async Task Where_the_plugin_is_off_this_node_leads_and_a_shutdown_does_not_wait_either()
    {
        await using var app = await RunningAsync([]);
        await EndsWithTheHostAsync(app);
    }

    [Fact]
    public async Task Nothing_that_the_application_asks_of_its_callers_is_asked_of_health()
    {
        await using var node = await GrpcNode.StartAsync(setup: new GrpcNodeSetup
        {
            Builder = builder =>
            {
                builder.Services.AddAuthentication("none").AddBearerToken("none");
                builder.Services.AddAuthorizationBuilder().SetFallbackPolicy(new AuthorizationPolicyBuilder("none").RequireAuthenticatedUser().Build());
                builder.Services.AddRequestTimeouts(o => o.DefaultPolicy = new RequestTimeoutPolicy { Timeout = TimeSpan.FromMilliseconds(1) });
            },
            App = app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.UseRequestTimeouts();
            },
        });
        using var watch = await node.WatchAsync("ha.Leader", timeout: "200m");
        Assert.Equal("SERVING 4", await watch.RestAsync());
    }

    [Fact]
    public async Task Watches_are_counted_and_stay_out_of_the_applications_request_metrics_and_traces()
    {
        await using var node = await GrpcNode.StartAsync();
        var factory = node.App.Services.GetRequiredService<IMeterFactory>();
        var (routes, open) = (new List<string>(), 0L);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, factory)
                    && instrument.Name is "http.server.request.duration" or "ha.grpc_health.watches")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref open, value));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) =>
        {
            lock (routes)
            {
                routes.Add($"{tags.ToArray().Single(tag => tag.Key == "http.route").Value}");
            }
        });
        listener.Start();
        var recorded = 0;
        using var test = new Activity("test") { ActivityTraceFlags = ActivityTraceFlags.Recorded };
        test.Start();
        using var traces = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => Interlocked.Add(ref recorded, activity.Recorded && activity.TraceId == test.TraceId ? 1 : 0),
        };
        ActivitySource.AddActivityListener(traces);

        using var watch = await node.WatchAsync("ha.Leader");
        Assert.Equal("SERVING", await watch.NextAsync());
        Assert.Equal(1, open);
        node.Close();
        Assert.Equal("14", await watch.RestAsync());
        using var check = await node.CheckAsync("ha.Leader");
        Assert.Equal("SERVING 0", await check.RestAsync());
        await node.App.StopAsync();

        Assert.Equal(0, open);
        Assert.Equal(["/grpc.health.v1.Health/Check"], routes);
        Assert.Equal(1, recorded);
    }

    [Fact]
    public void Mapping_it_twice_or_without_its_services_is_refused_with_the_remedy()
    {
        using var app = (IDisposable)TestApp.Create(TestApp.Inactive, builder => builder.Services.AddHaGrpc());
        ((WebApplication)app).MapHaGrpcHealth();
        Assert.Equal("MapHaGrpcHealth() was called twice; call it once.", Refused((WebApplication)app));
        using var without = (IDisposable)TestApp.Create(TestApp.Inactive);
        Assert.Equal("MapHaGrpcHealth() needs services: call builder.Services.AddHaGrpc() first.", Refused((WebApplication)without));
    }

    [Fact]
    public void A_leader_service_without_a_name_is_refused()
    {
        using var app = (IDisposable)TestApp.Create(TestApp.Inactive, builder => builder.Services.AddHaGrpc(o => o.LeaderServices.Add("")));
        Assert.StartsWith("HaGrpcOptions.LeaderServices holds the empty name", Refused((WebApplication)app), StringComparison.Ordinal);
    }

    private static string Refused(WebApplication app) => Assert.Throws<InvalidOperationException>(() => app.MapHaGrpcHealth()).Message;

    private static void AddTheirs(WebApplicationBuilder builder)
    {
        var theirs = new HealthServiceImpl();
        theirs.SetStatus("theirs", ServingStatus.Serving);
        builder.Services.AddSingleton(theirs);
    }

    /// <summary>On a follower.</summary>
    private static async Task AnswersBothAsync(GrpcNode node)
    {
        foreach (var (name, status) in new[] { ("ha.Leader", "NOT_SERVING"), ("theirs", "SERVING"), ("", "SERVING") })
        {
            using var check = await node.CheckAsync(name);
            Assert.Equal((name, $"{status} 0"), (name, await check.RestAsync()));
            using var watch = await node.WatchAsync(name);
            Assert.Equal((name, status), (name, await watch.NextAsync()));
        }

        using var unknown = await node.CheckAsync("nobodys");
        Assert.Equal("5", await unknown.RestAsync());
    }

    private static async Task<GrpcHost> RunningAsync((string Key, string? Value)[] variables)
    {
        var host = new GrpcHost(variables);
        await host.App.StartAsync();
        return host;
    }

    private static async Task EndsWithTheHostAsync(GrpcHost host)
    {
        using var watch = host.Client.Watch(new HealthCheckRequest { Service = "ha.Leader" });
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);

        // A second less than the host would wait for the listener.
        await host.App.StopAsync().WaitAsync(TimeSpan.FromSeconds(29));

        var end = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await watch.ResponseStream.MoveNext(CancellationToken.None))
            {
                // Whatever it is told on the way.
            }
        });
        Assert.Equal((StatusCode.Unavailable, "the node stops"), (end.StatusCode, end.Status.Detail));
    }

    private sealed class TheirHealth : HealthBase
    {
        public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
            request.Service == "theirs"
                ? Task.FromResult(new HealthCheckResponse { Status = ServingStatus.Serving })
                : throw new RpcException(new Status(StatusCode.NotFound, ""));

        public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
        {
            Assert.NotNull(context.GetHttpContext());
            await responseStream.WriteAsync(new HealthCheckResponse { Status = ServingStatus.Serving });
            await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
        }
    }
}
