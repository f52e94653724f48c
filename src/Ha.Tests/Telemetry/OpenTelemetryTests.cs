using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Ha.Telemetry;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Ha.Tests.Telemetry;

/// <summary>The signals as the SDK that people use takes them.</summary>
public sealed class OpenTelemetryTests
{
    [Fact]
    public void The_SDK_exports_every_instrument()
    {
        var exported = new Kept<Metric>(metric => $"{metric.Name} {metric.Unit} {metric.MetricType}");
        using var sdk = Sdk.CreateMeterProviderBuilder()
            .AddMeter("Ha")
            .AddReader(new BaseExportingMetricReader(exported))
            .Build();
        using var metrics = new HaMetrics();
        metrics.Attach(new StaticLeader("a", "http://a", "http://a"));
        metrics.LeadershipChanged("won");
        metrics.ConflictSeen("leaders");
        metrics.HeartbeatSent("b", TimeSpan.FromMilliseconds(1));
        metrics.HeartbeatReceived();
        metrics.HeartbeatRejected("malformed");
        metrics.Write(WriteOutcome.Forwarded, TimeSpan.FromMilliseconds(3));
        Assert.True(sdk.ForceFlush());
        Assert.Superset(
            new HashSet<string>(StringComparer.Ordinal)
            {
                "ha.conflicts {conflict} LongSum",
                "ha.heartbeat.duration s Histogram",
                "ha.heartbeats.received {heartbeat} LongSum",
                "ha.heartbeats.rejected {heartbeat} LongSum",
                "ha.heartbeats.sent {heartbeat} LongSum",
                "ha.is_leader {leader} LongGauge",
                "ha.leader.epoch {epoch} LongGauge",
                "ha.leadership.changes {change} LongSum",
                "ha.write.duration s Histogram",
            },
            new HashSet<string>(exported.All, StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_forwarded_write_is_one_trace_over_both_nodes()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Ha" or "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        var atLeader = new TaskCompletionSource<(ActivityTraceId Trace, ActivitySpanId Parent)>();
        await using var leader = await TestNode.LeaderAsync(app => app.MapPost("/notes", () =>
        {
            atLeader.SetResult((Activity.Current!.TraceId, Activity.Current.ParentSpanId));
            return Results.StatusCode(StatusCodes.Status201Created);
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        listener.ActivityStopped = activity =>
        {
            if (activity.GetTagItem("ha.leader") is string target && string.Equals(target, leader.Url, StringComparison.Ordinal))
            {
                spans.Enqueue(activity);
            }
        };

        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, follower.Url + "/notes");
        var clientTrace = ActivityTraceId.CreateRandom();
        request.Headers.Add("traceparent", $"00-{clientTrace}-{ActivitySpanId.CreateRandom()}-01");
        using var response = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var (trace, parent) = await atLeader.Task;
        await Eventually.True(() => !spans.IsEmpty);
        var span = Assert.Single(spans);
        Assert.Equal(HaActivitySource.Forward, span.OperationName);
        Assert.Equal(ActivityKind.Client, span.Kind);
        Assert.Equal(201, span.GetTagItem("http.response.status_code"));
        Assert.Equal(clientTrace, span.TraceId);
        Assert.Equal(clientTrace, trace);
        Assert.Equal(span.SpanId, parent);
    }

    [Fact]
    public void The_SDK_records_the_activity_source()
    {
        var exported = new Kept<Activity>(activity => activity.OperationName);
        using var processor = new SimpleActivityExportProcessor(exported);
        using (Sdk.CreateTracerProviderBuilder().AddSource("Ha").AddProcessor(processor).Build())
        {
            HaActivitySource.Source.StartActivity(HaActivitySource.Forward, ActivityKind.Client)?.Dispose();
        }

        Assert.Contains(exported.All, name => name is "ha.forward");
    }

    private sealed class Kept<T>(Func<T, string> text) : BaseExporter<T>
        where T : class
    {
        private readonly ConcurrentQueue<string> _all = new();

        public IReadOnlyCollection<string> All => _all;

        public override ExportResult Export(in Batch<T> batch)
        {
            foreach (var item in batch)
            {
                _all.Enqueue(text(item));
            }

            return ExportResult.Success;
        }
    }
}
