using System.Collections.Concurrent;
using Ha.Election;
using Ha.Leadership;
using Ha.Telemetry;
using Ha.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Leadership;

/// <summary>The owner of an election without HTTP, on a clock that moves when the test says so.</summary>
public class ElectionRunnerTests
{
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(100);

    private readonly FakeTimeProvider _clock = new();
    private readonly ConcurrentQueue<CancellationToken> _limits = new();

    [Fact]
    public async Task A_message_without_an_answer_is_given_up_by_the_election_s_own_clock()
    {
        using var runner = Runner(["http://b"], raiseFence: null);
        Assert.Empty(_limits);
        runner.SetListening();
        var first = Assert.Single(_limits);

        _clock.Advance(_interval * 1.5 - TimeSpan.FromMilliseconds(1));
        Assert.False(first.IsCancellationRequested);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(first.IsCancellationRequested);

        await Eventually.True(() =>
        {
            _clock.Advance(TimeSpan.FromMilliseconds(1));
            return _limits.Count > 1;
        });
    }

    [Fact]
    public async Task A_fence_that_does_not_answer_is_given_up_and_asked_again_by_the_same_clock()
    {
        using var runner = Runner([], async (_, limit) =>
        {
            _limits.Enqueue(limit);
            await Task.Delay(Timeout.InfiniteTimeSpan, limit);
            return 0;
        });
        runner.SetReady();
        await Eventually.True(() => _limits.Count == 1);
        var first = Assert.Single(_limits);

        _clock.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromMilliseconds(1));
        Assert.False(first.IsCancellationRequested);
        Assert.Single(_limits);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(first.IsCancellationRequested);

        await Eventually.True(() =>
        {
            _clock.Advance(TimeSpan.FromMilliseconds(1));
            return _limits.Count > 1;
        });
    }

    private ElectionRunner Runner(string[] peers, Func<long, CancellationToken, ValueTask<long>>? raiseFence) => new(
        new ElectionConfig
        {
            ClusterId = "default",
            NodeId = "a",
            Incarnation = Guid.NewGuid(),
            Target = "http://a",
            PublicTarget = "http://a",
            Peers = peers,
            IntervalMicros = _interval.ToMicros(),
            LeaseMicros = TimeSpan.FromMinutes(1).ToMicros(),
            Majority = true,
            DrainMicros = 0,
            AwaitEpochFloor = raiseFence is not null,
            Digest = "",
            NewNonce = Guid.NewGuid,
        },
        NeverAnsweredAsync,
        raiseFence,
        _clock,
        new ElectionTelemetry(NullLoggerFactory.Instance, new HaMetrics(), _clock));

    private async Task<BeatExchange> NeverAnsweredAsync(string peer, Beat beat, CancellationToken limit)
    {
        _limits.Enqueue(limit);
        await Task.Delay(Timeout.InfiniteTimeSpan, limit);
        throw new InvalidOperationException("The wait has no other end.");
    }
}
