using Ha.Consistency;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;

namespace Ha.Tests.Consistency;

/// <summary>One loop for all reads that wait, and none while there are none.</summary>
public sealed class ReplicaWatchTests : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);

    private readonly FakeReplica _replica = new();
    private readonly ManualTime _clock = new();
    private readonly List<Exception> _failures = [];
    private readonly ReplicaWatch _watch;

    public ReplicaWatchTests() => _watch = new ReplicaWatch(_replica.Consistency, _clock, failure =>
    {
        lock (_failures)
        {
            _failures.Add(failure);
        }
    });

    public void Dispose() => _watch.Dispose();

    [Fact]
    public async Task What_is_reached_waits_for_one_look_and_the_next_for_none()
    {
        _replica.Reach(10);
        Assert.False(_watch.HasReached(10));
        Assert.Equal(ReplicaOutcome.Reached, await WaitAsync(10));
        Assert.Equal(1, _replica.Looks);
        Assert.True(_watch.HasReached(10));
        Assert.False(_watch.HasReached(11));
    }

    [Fact]
    public async Task A_look_counts_for_a_moment_only()
    {
        _replica.Reach(10);
        await WaitAsync(10);
        _clock.Advance(ReplicaWatch.Trust);
        Assert.True(_watch.HasReached(10));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(_watch.HasReached(10));
    }

    [Fact]
    public async Task A_replica_that_went_back_is_believed()
    {
        _replica.Reach(10);
        await WaitAsync(10);
        _replica.Reach(5);
        var waiting = WaitAsync(11);
        await Eventually.True(() => !_watch.HasReached(10));
        Assert.True(_watch.HasReached(5));
        _replica.Reach(11);
        await PollAsync(() => waiting.IsCompleted);
        Assert.Equal(ReplicaOutcome.Reached, await waiting);
    }

    [Fact]
    public async Task Who_waits_is_woken_by_progress_in_the_order_of_positions()
    {
        var (first, second) = (WaitAsync(10), WaitAsync(20));
        await Eventually.True(() => _replica.Looks > 0);
        _replica.Reach(10);
        await PollAsync(() => first.IsCompleted);
        Assert.Equal(ReplicaOutcome.Reached, await first);
        Assert.False(second.IsCompleted);
        _replica.Reach(25);
        await PollAsync(() => second.IsCompleted);
        Assert.Equal(ReplicaOutcome.Reached, await second);
        Assert.Equal(0, _watch.Waiting);
    }

    [Fact]
    public async Task A_thousand_wait_by_one_look_at_a_time_and_nobody_looks_afterwards()
    {
        var waiting = Enumerable.Range(1, 1000).Select(number => WaitAsync(number)).ToArray();
        Assert.Equal(1000, _watch.Waiting);
        Assert.Equal(ReplicaOutcome.Full, await WaitAsync(1));
        await Eventually.True(() => _clock.Armed == 1001);
        Assert.InRange(_replica.Looks, 1, 2);

        for (var polls = 0; polls < 10; polls++)
        {
            var looks = _replica.Looks;
            await PollAsync(() => _replica.Looks > looks);
        }

        Assert.InRange(_replica.Looks, 11, 30);
        _replica.Reach(1000);
        await PollAsync(() => waiting.All(wait => wait.IsCompleted));
        Assert.All(waiting, wait => Assert.Equal(ReplicaOutcome.Reached, wait.Result));
        Assert.Equal((0, 0), (_watch.Waiting, _clock.Armed));
        var last = _replica.Looks;
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(last, _replica.Looks);
    }

    [Fact]
    public async Task Nobody_waits_longer_than_the_bound_though_a_look_hangs()
    {
        _replica.Hangs = new TaskCompletionSource();
        var waiting = WaitAsync(10);
        await Eventually.True(() => _replica.Looks == 1);
        _clock.Advance(_patience);
        Assert.Equal(ReplicaOutcome.Behind, await waiting);
        Assert.Equal(0, _watch.Waiting);
        _replica.Hangs.SetResult();
    }

    [Fact]
    public async Task Who_is_cancelled_leaves_no_trace()
    {
        using var cancel = new CancellationTokenSource();
        var waiting = WaitAsync(10, cancelled: cancel.Token);
        await Eventually.True(() => _replica.Looks > 0);
        await cancel.CancelAsync();
        Assert.Equal(ReplicaOutcome.Cancelled, await waiting);
        Assert.Equal(0, _watch.Waiting);
        await PollAsync(() => _clock.Armed == 0);
        var looks = _replica.Looks;
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(looks, _replica.Looks);
    }

    [Fact]
    public async Task Who_only_looks_is_told_after_the_next_look()
    {
        Assert.Equal(ReplicaOutcome.Behind, await WaitAsync(10, onlyLook: true));

        var other = WaitAsync(10);
        await PausedAsync();
        var looks = WaitAsync(10, onlyLook: true);
        await PollAsync(() => looks.IsCompleted);
        Assert.Equal(ReplicaOutcome.Behind, await looks);
        Assert.False(other.IsCompleted);
    }

    [Fact]
    public async Task Who_only_looks_does_not_wait_until_the_replica_tells_of_its_progress()
    {
        _replica.Tells();
        var other = WaitAsync(10);
        await Eventually.True(() => _replica.Asked.Count == 1);
        var many = Enumerable.Range(0, 100).Select(_ => WaitAsync(20, onlyLook: true)).ToArray();
        await PausedAsync();
        Assert.Equal(1, _replica.Looks);
        await PollAsync(() => many.All(look => look.IsCompleted));
        Assert.All(many, look => Assert.Equal(ReplicaOutcome.Behind, look.Result));
        Assert.False(other.IsCompleted);
        Assert.Equal(2, _replica.Looks);
    }

    [Fact]
    public async Task A_look_that_had_begun_says_nothing_to_who_comes_later()
    {
        var hang = _replica.Hangs = new TaskCompletionSource();
        var first = WaitAsync(20);
        await Eventually.True(() => _replica.Looks == 1);
        var late = WaitAsync(10, onlyLook: true);
        (_replica.Hangs, _replica.ReachedFails) = (null, new InvalidOperationException("away"));
        hang.SetResult();
        Assert.Equal(ReplicaOutcome.Unknown, await first);
        _replica.ReachedFails = null;
        _replica.Reach(10);
        await PollAsync(() => late.IsCompleted);
        Assert.Equal(ReplicaOutcome.Reached, await late);
    }

    [Fact]
    public async Task A_look_that_fails_sends_away_those_who_wait()
    {
        _replica.ReachedFails = new InvalidOperationException("away");
        Assert.Equal(ReplicaOutcome.Unknown, await WaitAsync(10));
        Assert.Equal("away", Assert.Single(_failures).Message);

        _replica.ReachedFails = null;
        _replica.Reach(10);
        Assert.Equal(ReplicaOutcome.Reached, await WaitAsync(10));
    }

    [Fact]
    public async Task Below_zero_is_no_position()
    {
        _replica.Reach(-1);
        Assert.Equal(ReplicaOutcome.Unknown, await WaitAsync(0));
        Assert.Single(_failures);
    }

    [Fact]
    public async Task A_replica_that_tells_of_its_progress_is_not_polled()
    {
        _replica.Tells();
        var late = WaitAsync(20);
        await Eventually.True(() => _replica.Asked.Count == 1);
        var early = WaitAsync(10);
        await PollAsync(() => _replica.Asked.Count == 2);
        Assert.Equal([20, 10], _replica.Asked);
        _replica.Reach(10);
        Assert.Equal(ReplicaOutcome.Reached, await early);
        await Eventually.True(() => _replica.Asked.Count == 3);
        _replica.Reach(20);
        Assert.Equal(ReplicaOutcome.Reached, await late);
        Assert.InRange(_replica.Looks, 3, 4);
        Assert.Equal(0, _clock.Armed);
    }

    [Fact]
    public async Task Who_waits_for_more_does_not_disturb_the_wait_for_less()
    {
        CancellationToken over = default;
        _replica.Consistency.WaitForProgress = async (_, stop) =>
        {
            over = stop;
            await new TaskCompletionSource().Task.WaitAsync(stop);
        };
        _ = WaitAsync(20);
        await Eventually.True(() => over.CanBeCanceled);
        _ = WaitAsync(20);
        _ = WaitAsync(30);
        Assert.False(over.IsCancellationRequested);
        _ = WaitAsync(10);
        Assert.True(over.IsCancellationRequested);
    }

    [Fact]
    public async Task One_that_says_so_too_early_is_polled()
    {
        var calls = 0;
        _replica.Consistency.WaitForProgress = (_, _) =>
        {
            calls++;
            return ValueTask.CompletedTask;
        };
        var waiting = WaitAsync(10);
        await PausedAsync();
        Assert.Equal((2, 1), (_replica.Looks, calls));
        _replica.Reach(10);
        await PollAsync(() => waiting.IsCompleted);
        Assert.Equal(ReplicaOutcome.Reached, await waiting);
    }

    [Fact]
    public async Task A_replica_that_has_not_moved_while_a_read_waited_is_waited_for_again_when_it_moves()
    {
        _replica.Reach(5);
        await WaitInVainAsync(10);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(ReplicaOutcome.Behind, await WaitAsync(10));
        }

        Assert.Equal(ReplicaOutcome.Reached, await WaitAsync(5));
        _replica.Reach(6);
        var waiting = WaitAsync(10);
        await PausedAsync();
        Assert.False(waiting.IsCompleted);
        _replica.Reach(10);
        await PollAsync(() => waiting.IsCompleted);
        Assert.Equal(ReplicaOutcome.Reached, await waiting);
    }

    [Fact]
    public async Task A_replica_that_is_slow_or_idle_is_waited_for()
    {
        _replica.Reach(5);
        await WaitAsync(5);
        _clock.Advance(TimeSpan.FromHours(1));
        await WaitInVainAsync(10, meanwhile: 6);
        var waiting = WaitAsync(10);
        await PausedAsync();
        Assert.False(waiting.IsCompleted);
    }

    [Fact]
    public async Task Where_a_replica_was_stuck_says_nothing_once_it_has_moved()
    {
        _replica.Reach(5);
        await WaitInVainAsync(10);
        _replica.Reach(6);
        Assert.Equal(ReplicaOutcome.Reached, await WaitAsync(6));
        _replica.Reach(5);
        var waiting = WaitAsync(10);
        await PausedAsync();
        Assert.False(waiting.IsCompleted);
    }

    [Fact]
    public async Task A_replica_that_was_stuck_still_is_after_a_look_that_failed()
    {
        _replica.Reach(5);
        await WaitInVainAsync(10);
        _replica.ReachedFails = new InvalidOperationException("away");
        Assert.Equal(ReplicaOutcome.Unknown, await WaitAsync(10));
        _replica.ReachedFails = null;
        Assert.Equal(ReplicaOutcome.Behind, await WaitAsync(10));
    }

    [Fact]
    public async Task Who_only_looked_or_was_cancelled_has_not_waited_in_vain()
    {
        _replica.Reach(5);
        Assert.Equal(ReplicaOutcome.Behind, await WaitAsync(10, onlyLook: true));
        using var cancel = new CancellationTokenSource();
        var leaves = WaitAsync(10, cancelled: cancel.Token);
        await PausedAsync();
        await cancel.CancelAsync();
        Assert.Equal(ReplicaOutcome.Cancelled, await leaves);
        await PollAsync(() => _clock.Armed == 0);

        var waiting = WaitAsync(10);
        await PausedAsync();
        Assert.False(waiting.IsCompleted);
    }

    [Fact]
    public async Task One_that_tells_of_its_progress_can_be_stuck_too()
    {
        _replica.Tells().Reach(5);
        var first = WaitAsync(10);
        await Eventually.True(() => _replica.Asked.Count == 1);
        _clock.Advance(_patience);
        Assert.Equal(ReplicaOutcome.Behind, await first);
        var second = WaitAsync(10);
        await PollAsync(() => second.IsCompleted);
        Assert.Equal(ReplicaOutcome.Behind, await second);
        Assert.Single(_replica.Asked);
    }

    [Fact]
    public async Task While_one_read_tries_a_replica_that_could_not_say_others_do_not_wait()
    {
        _replica.ReachedFails = new InvalidOperationException("away");
        Assert.Equal(ReplicaOutcome.Unknown, await WaitAsync(10));
        var hang = _replica.Hangs = new TaskCompletionSource();
        var tries = WaitAsync(10);
        Assert.Equal(ReplicaOutcome.Unknown, await WaitAsync(10));
        Assert.False(tries.IsCompleted);

        (_replica.Hangs, _replica.ReachedFails) = (null, null);
        _replica.Reach(10);
        hang.SetResult();
        Assert.Equal(ReplicaOutcome.Reached, await tries);
        Assert.Equal(ReplicaOutcome.Reached, await WaitAsync(10));
        var waiting = WaitAsync(20);
        await PausedAsync();
        Assert.All([waiting, WaitAsync(20)], wait => Assert.False(wait.IsCompleted));
    }

    [Theory]
    [InlineData(0.6)]
    [InlineData(60)]
    public async Task However_rarely_it_is_polled_a_read_that_waits_sees_a_second_look(double seconds)
    {
        var replica = new FakeReplica();
        replica.Consistency.PollInterval = TimeSpan.FromSeconds(seconds);
        using var watch = new ReplicaWatch(replica.Consistency, _clock, _failures.Add);
        var waiting = WaitAsync(watch, 10);
        await Eventually.True(() => _clock.Next == _patience / 2);
        replica.Reach(10);
        _clock.Advance(_patience / 2);
        Assert.Equal(ReplicaOutcome.Reached, await waiting);
    }

    [Fact]
    public async Task The_end_of_the_node_ends_every_wait()
    {
        var waiting = WaitAsync(10);
        _watch.Dispose();
        Assert.Equal(ReplicaOutcome.Behind, await waiting);
        Assert.Equal(ReplicaOutcome.Full, await WaitAsync(1));
    }

    /// <summary>Between two looks. While a look runs the next timer is the one that bounds it.</summary>
    private bool IsPaused => _clock.Next == _replica.Consistency.PollInterval;

    private Task PausedAsync() => Eventually.True(() => IsPaused);

    /// <param name="meanwhile">Not null: how far the replica gets while it waits.</param>
    private async Task WaitInVainAsync(long number, long? meanwhile = null)
    {
        var waiting = WaitAsync(number);
        await PausedAsync();
        if (meanwhile is { } moved)
        {
            _replica.Reach(moved);
            var looks = _replica.Looks;
            await PollAsync(() => _replica.Looks > looks && IsPaused);
        }

        _clock.Advance(_patience);
        Assert.Equal(ReplicaOutcome.Behind, await waiting);
        await PollAsync(() => _clock.Armed == 0);
    }

    private Task<ReplicaOutcome> WaitAsync(long number, bool onlyLook = false, CancellationToken cancelled = default) =>
        WaitAsync(_watch, number, onlyLook, cancelled);

    private static Task<ReplicaOutcome> WaitAsync(
        ReplicaWatch watch, long number, bool onlyLook = false, CancellationToken cancelled = default) =>
        watch.WaitAsync(number, onlyLook, _patience, cancelled).AsTask().WaitAsync(TimeSpan.FromSeconds(20), CancellationToken.None);

    /// <summary>Lets time pass from one look to the next, and none while a look runs.</summary>
    private Task PollAsync(Func<bool> until) => Eventually.True(() =>
    {
        if (!until() && _clock.Armed > _watch.Waiting)
        {
            _clock.Advance(_replica.Consistency.PollInterval);
        }

        return until();
    });
}
