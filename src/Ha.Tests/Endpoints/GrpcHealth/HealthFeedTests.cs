using System.IO.Pipelines;
using Ha.Endpoints.GrpcHealth;
using Ha.Telemetry;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit.Abstractions;

namespace Ha.Tests.Endpoints.GrpcHealth;

public sealed class HealthFeedTests(ITestOutputHelper output)
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(1.5);

    private readonly ManualTime _time = new();

    [Fact]
    public void A_lease_that_ends_without_a_word_is_noticed_at_its_end()
    {
        using var leadership = new FakeLeadership("a", _time).Lead(lease: _lease);
        using var feed = new HealthFeed(leadership, _time, CancellationToken.None);
        var leads = feed.Look();
        _time.Advance(_lease);
        Assert.False(leads.Over.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(leads.Over.IsCompleted);
        Assert.Equal((false, true), (feed.Look().Leads, feed.Look().Ready));
        Assert.Equal(0, _time.Armed);
    }

    [Fact]
    public void A_lease_that_is_renewed_wakes_nobody()
    {
        using var leadership = new SilentRenewals(_time, _lease);
        using var feed = new HealthFeed(leadership, _time, CancellationToken.None);
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
        using var feed = new HealthFeed(new StaticLeader("a"), _time, CancellationToken.None);
        Assert.True(feed.Look().Leads);
        Assert.Equal(0, _time.Armed);
    }

    [Fact]
    public async Task Ten_thousand_watches_share_one_timer_and_cost_little()
    {
        const int Count = 10_000;
        using var leadership = new FakeLeadership("a", _time).Lead(lease: _lease);
        using var feed = new HealthFeed(leadership, _time, CancellationToken.None);
        using var metrics = new HaMetrics();
        var endpoint = new GrpcHealthEndpoint(feed, metrics, _time);
        var watches = Enumerable.Range(0, Count).Select(_ => new Watch()).ToArray();

        // On the pool, as a server does it: the test's own synchronization context takes a millisecond for each turn.
        var (running, each) = await Task.Run(() =>
        {
            // All of it happens on this thread until the watch waits, so this is what a watch can hold at most.
            var before = GC.GetAllocatedBytesForCurrentThread();
            var all = Array.ConvertAll(watches, watch => endpoint.HandleAsync(watch.Context, "Watch"));
            return (all, (GC.GetAllocatedBytesForCurrentThread() - before) / Count);
        });
        Assert.Equal(Count, watches.Sum(watch => watch.Told));
        output.WriteLine($"{each} bytes for each watch beside the server's own");
        Assert.InRange(each, 1, 4096);
        Assert.Equal(1, _time.Armed);

        leadership.Follow("http://b");
        await Eventually.True(() => watches.All(watch => watch.Told == 2));
        feed.End();
        await Task.WhenAll(running);
    }

    private sealed class Watch : Stream
    {
        public Watch()
        {
            var request = new Pipe();
            request.Writer.WriteAsync(GrpcCall.Request("ha.Leader")).AsTask().Wait();
            request.Writer.Complete();
            Context.Request.Method = "POST";
            Context.Request.Protocol = "HTTP/2";
            Context.Request.ContentType = "application/grpc";
            Context.Features.Set<IRequestBodyPipeFeature>(new Body(request.Reader));
            Context.Response.Body = this;
        }

        public DefaultHttpContext Context { get; } = new();

        public int Told { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Told++;
            return ValueTask.CompletedTask;
        }

        private sealed class Body(PipeReader reader) : IRequestBodyPipeFeature
        {
            public PipeReader Reader => reader;
        }
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
