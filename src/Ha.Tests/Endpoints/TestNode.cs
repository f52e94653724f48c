using Ha.Configuration;
using Ha.Endpoints;
using Ha.Telemetry;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Endpoints;

/// <summary>Three made-up nodes seen from one of them, with the real entry middleware before an app.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    public const string Token = "a-token-for-the-tests";

    private IHost? _host;

    public TestNode(string self = "node-b", string? leader = "node-a")
    {
        Clock = new FakeTimeProvider(new DateTimeOffset(2025, 7, 20, 8, 26, 40, TimeSpan.Zero));
        Settings = TestSettings.From(o => o.AdminToken = Token) with { NodeId = self, LocalTarget = $"http://{self}:8080" };
        Metrics = new HaMetrics();
        Telemetry = new ElectionTelemetry(NullLoggerFactory.Instance, Metrics, Clock);
        Provider = new FakeProvider(Snapshot(self, leader));
        Members = [.. new[] { "node-a", "node-b", "node-c" }.Select((id, i) => Member(id, i, self, leader))];
    }

    public FakeTimeProvider Clock { get; }

    public HaSettings Settings { get; set; }

    public HaMetrics Metrics { get; }

    public ElectionTelemetry Telemetry { get; }

    public FakeProvider Provider { get; }

    public IReadOnlyList<ClusterMember> Members { get; set; }

    public string Quorum { get; set; } = "majority";

    public Func<string?, HandoffStart>? StepDown { get; set; }

    public Func<string?, HandoffStart>? Pause { get; set; }

    public Func<bool>? Resume { get; set; }

    public RequestDelegate? Heartbeat { get; set; }

    public CancellationToken Stopping { get; set; }

    public RequestDelegate App { get; set; } = context => context.Response.WriteAsync("the app");

    public LeadershipSnapshot Snapshot(string self, string? leader, double leaseSeconds = 1.25, long epoch = 1_753_000_000_000_001) =>
        new(Clock, leader is null ? 0 : Clock.GetTimestamp() + (long)(leaseSeconds * Clock.TimestampFrequency))
        {
            NodeId = self,
            LeaderId = leader,
            LeaderUrl = leader is null ? null : $"https://{leader}.example",
            LeaderTarget = leader is null ? null : $"http://{leader}:8080",
            Epoch = leader is null ? 0 : epoch,
            LeadsSelf = string.Equals(self, leader, StringComparison.Ordinal),
            AdmitsWrites = string.Equals(self, leader, StringComparison.Ordinal),
        };

    public HaEndpoints Endpoints() => new(new EndpointSources
    {
        Settings = Settings,
        Provider = Provider,
        View = () => new ClusterView(Members, Quorum, Provider.Current),
        Telemetry = Telemetry,
        Clock = Clock,
        Heartbeat = Heartbeat,
        StepDown = StepDown,
        Pause = Pause,
        Resume = Resume,
        Stopping = Stopping,
    });

    public void Configure(IApplicationBuilder app)
    {
        var (endpoints, headers) = (Endpoints(), new LeaderHeaders(Provider, Settings));
        app.Use(next => new HaEntryMiddleware(next, endpoints, headers, Stopping).InvokeAsync);
        app.Run(App);
    }

    public async Task<HttpClient> StartAsync()
    {
        _host = await new HostBuilder()
            .ConfigureWebHost(web => web.UseTestServer().Configure(Configure))
            .StartAsync();
        return _host.GetTestClient();
    }

    public async ValueTask DisposeAsync()
    {
        Metrics.Dispose();
        if (_host is not null)
        {
            await _host.StopAsync();
            _host.Dispose();
        }
    }

    private ClusterMember Member(string id, int ordinal, string self, string? leader)
    {
        var isSelf = string.Equals(id, self, StringComparison.Ordinal);
        var isLeader = string.Equals(id, leader, StringComparison.Ordinal);
        return new ClusterMember(
            id,
            $"http://{id}:8080",
            $"https://{id}.example",
            Up: true,
            ordinal,
            isSelf ? Clock.GetUtcNow() : Clock.GetUtcNow() - TimeSpan.FromMilliseconds(210 + ordinal),
            isLeader,
            isSelf,
            isLeader ? "leader" : "follower",
            ConfigMismatch: null,
            isSelf ? null : TimeSpan.FromMicroseconds(640 + 130 * ordinal));
    }
}
