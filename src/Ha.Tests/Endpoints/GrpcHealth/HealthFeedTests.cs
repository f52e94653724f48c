using Grpc.Core;
using Grpc.Health.V1;
using Ha.Grpc.Health;
using Ha.Hosting;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Xunit.Abstractions;

namespace Ha.Tests.Endpoints.GrpcHealth;

public sealed class HealthFeedTests(ITestOutputHelper output) : IDisposable
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(1.5);

    private readonly ManualTime _time = new();
    private readonly ShutdownSignal _shutdown = new();

    public void Dispose() => _shutdown.Dispose();

    [Fact]
    public void A_lease_that_ends_without_a_word_is_noticed_at_its_end()
    {
        using var leadership = new FakeLeadership("a", _time).Lead(lease: _lease);
        using var feed = Feed(leadership);
        var leads = feed.Look();
        _time.Advance(_lease);
        Assert.False(leads.Over.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(leads.Over.IsCompleted);
        Assert.Equal((false, true), (feed.Look().Leads, feed.Look().Ready));
        Assert.Equal(0, _time.Armed);
    }

    [Fact]
    public void A_lease_shorter_than_the_one_before_is_noticed_at_its_own_end()
    {
        using var leadership = new FakeLeadership("a", _time).Lead(lease: _lease);
        using var feed = Feed(leadership);
        leadership.Follow("http://b");
        leadership.Lead(lease: TimeSpan.FromMilliseconds(200));
        var leads = feed.Look();
        _time.Advance(TimeSpan.FromMilliseconds(201));
        Assert.True(leads.Over.IsCompleted);
    }

    [Fact]
    public void A_lease_that_is_renewed_wakes_nobody()
    {
        using var leadership = new SilentRenewals(_time, _lease);
        using var feed = Feed(leadership);
        var leads = feed.Look();
        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(500));
            leadership.Renew();
        }

        Assert.True(feed.Look().Leads);
        Assert.False(leads.Over.IsCompleted);
        _time.Advance(2 * _lease);
        Assert.True(leads.Over.IsCompleted);
    }

    [Fact]
    public void Nobody_waits_for_the_end_of_a_lease_that_has_none()
    {
        using var feed = Feed(new StaticLeader("a"));
        Assert.True(feed.Look().Leads);
        Assert.Equal(0, _time.Armed);
    }

    [Fact]
    public async Task Ten_thousand_watches_share_one_timer_and_cost_little()
    {
        const int Count = 10_000;
        using var leadership = new FakeLeadership("a", _time).Lead(lease: _lease);
        using var feed = Feed(leadership);
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var health = new LeaderHealth(
            feed, ActivatorUtilities.CreateInstance<OpenWatches>(services), new OtherHealth(services), Readiness(leadership),
            Options.Create(new HaGrpcOptions()));
        var request = new HealthCheckRequest { Service = "ha.Leader" };
        var watches = Enumerable.Range(0, Count).Select(_ => new Watch(services)).ToArray();

        // On the pool, as a server does it: the test's own synchronization context takes a millisecond for each turn.
        var (running, each) = await Task.Run(() =>
        {
            // All of it happens on this thread until the watch waits, so this is what a watch can hold at most.
            var before = GC.GetAllocatedBytesForCurrentThread();
            var all = Array.ConvertAll(watches, watch => health.Watch(request, watch, watch));
            return (all, (GC.GetAllocatedBytesForCurrentThread() - before) / Count);
        });
        Assert.Equal(Count, watches.Sum(watch => watch.Told));
        output.WriteLine($"{each} bytes for each watch beside the server's own");
        Assert.InRange(each, 1, 4096);
        Assert.Equal(1, _time.Armed);

        leadership.Follow("http://b");
        await Eventually.True(() => watches.All(watch => watch.Told == 2));
        _shutdown.Close();
        await Task.WhenAll(running);
        Assert.All(watches, watch => Assert.Equal(StatusCode.Unavailable, watch.Status.StatusCode));
    }

    private HealthFeed Feed(ILeaderProvider leader) => new(leader, Readiness(leader), _time);

    private NodeReadiness Readiness(ILeaderProvider leader) => new(leader, _shutdown);

    /// <summary>One call, with the stream that its client reads.</summary>
    private sealed class Watch : ServerCallContext, IServerStreamWriter<HealthCheckResponse>
    {
        public Watch(IServiceProvider services) =>
            UserState["__HttpContext"] = new DefaultHttpContext { RequestServices = services };

        public int Told { get; private set; }

        protected override string MethodCore => "/grpc.health.v1.Health/Watch";

        protected override string HostCore => "localhost";

        protected override string PeerCore => "unknown";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore { get; } = [];

        protected override CancellationToken CancellationTokenCore => CancellationToken.None;

        protected override Metadata ResponseTrailersCore { get; } = [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore => throw new NotSupportedException();

        protected override IDictionary<object, object> UserStateCore { get; } = new Dictionary<object, object>();

        Task IAsyncStreamWriter<HealthCheckResponse>.WriteAsync(HealthCheckResponse message)
        {
            Told++;
            return Task.CompletedTask;
        }

        Task IAsyncStreamWriter<HealthCheckResponse>.WriteAsync(HealthCheckResponse message, CancellationToken cancellationToken)
        {
            Told++;
            return Task.CompletedTask;
        }

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }

    /// <summary>As the real provider: a renewal is a new snapshot that nobody announces.</summary>
    private sealed class SilentRenewals(ManualTime time, TimeSpan lease) : ILeaderProvider, IDisposable
    {
        private readonly CancellationTokenSource _never = new();

        public bool IsLeader => Current.IsLeader;

        public string? RedirectTarget => null;

        public LeadershipSnapshot Current { get; private set; } = Leading(time, lease);

        public Task Ready => Task.CompletedTask;

        public void Renew() => Current = Leading(time, lease);

        public Microsoft.Extensions.Primitives.IChangeToken GetChangeToken() => new Microsoft.Extensions.Primitives.CancellationChangeToken(_never.Token);

        public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => Task.FromResult(Current);

        public void Dispose() => _never.Dispose();

        private static LeadershipSnapshot Leading(ManualTime time, TimeSpan lease) =>
            new(time, time.GetTimestamp() + lease.Ticks) { NodeId = "a", LeaderId = "a", LeadsSelf = true };
    }
}
