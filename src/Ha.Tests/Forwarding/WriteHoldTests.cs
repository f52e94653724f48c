using Ha.Forwarding;

namespace Ha.Tests.Forwarding;

/// <summary>The waiting room by itself, on virtual time.</summary>
public sealed class WriteHoldTests : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);

    private readonly ManualTime _time = new();
    private readonly FakeLeadership _leadership;

    public WriteHoldTests() => _leadership = new FakeLeadership("me", _time);

    public void Dispose() => _leadership.Dispose();

    [Fact]
    public async Task Everybody_moves_on_when_a_leader_appears()
    {
        LeaveTestContext();
        using var hold = new WriteHold(_leadership, _time, max: 10_000);
        var waiting = Enumerable.Range(0, 10_000).Select(_ => Wait(hold)).ToList();
        Assert.Equal(10_000, hold.Held);
        Assert.Equal(1, _time.Armed);

        _leadership.Follow("http://leader");

        foreach (var one in waiting)
        {
            Assert.Equal(HoldOutcome.MoveOn, await one);
            hold.Moved();
        }

        Assert.Equal(0, hold.Held);
    }

    [Fact]
    public async Task A_crowd_leaves_in_the_order_of_arrival_and_makes_room_one_for_one()
    {
        _leadership.Follow("http://old", epoch: 1);
        using var hold = new WriteHold(_leadership, _time, max: 100);
        var until = _time.GetTimestamp() + _patience.Ticks;
        var old = _leadership.Current;

        // Who has tried the dead leader would look again before the others, but came later.
        var refused = hold.WaitAsync(old, until + 1, until / 2, default).AsTask();
        _leadership.LoseLeader();
        var waiting = Enumerable.Range(0, WriteHold.Crowd + 1).Select(_ => Wait(hold)).Append(refused).ToList();

        _leadership.Follow("http://new", epoch: 2);
        Assert.Equal(2, hold.Held);
        Assert.All(await Task.WhenAll(waiting.Take(WriteHold.Crowd)), static outcome => Assert.Equal(HoldOutcome.MoveOn, outcome));

        hold.Moved();
        Assert.Equal(HoldOutcome.MoveOn, await waiting[WriteHold.Crowd]);
        Assert.False(refused.IsCompleted);
        hold.Moved();
        Assert.Equal(HoldOutcome.MoveOn, await refused);
    }

    [Fact]
    public async Task A_crowd_that_does_not_get_through_does_not_keep_the_others_for_long()
    {
        using var hold = new WriteHold(_leadership, _time, max: 100);
        var waiting = Enumerable.Range(0, 3 * WriteHold.Crowd).Select(_ => Wait(hold)).ToList();
        _leadership.Follow("http://leader");
        await Task.WhenAll(waiting.Take(WriteHold.Crowd));

        _time.Advance(TimeSpan.FromMilliseconds(19));
        Assert.Equal(2 * WriteHold.Crowd, hold.Held);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await Task.WhenAll(waiting.Take(2 * WriteHold.Crowd));
        Assert.Equal(WriteHold.Crowd, hold.Held);
        _time.Advance(TimeSpan.FromMilliseconds(20));
        await Task.WhenAll(waiting);
        Assert.Equal(0, _time.Armed);
    }

    [Fact]
    public async Task Who_leaves_a_crowd_by_himself_takes_nobodys_place()
    {
        using var hold = new WriteHold(_leadership, _time, max: 100);
        using var client = new CancellationTokenSource();
        var first = Enumerable.Range(0, WriteHold.Crowd).Select(_ => Wait(hold)).ToList();
        var gone = Wait(hold, client.Token);
        var last = Wait(hold);
        _leadership.Follow("http://leader");
        await Task.WhenAll(first);

        await client.CancelAsync();
        Assert.Equal(HoldOutcome.Cancelled, await gone);
        hold.Moved();
        Assert.Equal(HoldOutcome.MoveOn, await last);
    }

    [Fact]
    public async Task Ten_thousand_waiters_are_cheap()
    {
        LeaveTestContext();
        using var hold = new WriteHold(_leadership, _time, max: 10_000);
        using var client = new CancellationTokenSource();
        var before = GC.GetAllocatedBytesForCurrentThread();

        var waiting = Enumerable.Range(0, 10_000).Select(_ => Wait(hold, client.Token)).ToList();

        var each = (GC.GetAllocatedBytesForCurrentThread() - before) / 10_000;
        Assert.True(each < 1024, $"{each} bytes each");
        hold.Stop();
        await Task.WhenAll(waiting);
    }

    [Fact]
    public async Task A_leader_that_was_there_before_the_wait_ends_it_at_once()
    {
        using var hold = new WriteHold(_leadership, _time, max: 1);
        _leadership.Lead();

        Assert.Equal(HoldOutcome.MoveOn, await Wait(hold));
    }

    [Fact]
    public async Task Waiting_ends_in_time_and_in_order_of_deadlines()
    {
        using var hold = new WriteHold(_leadership, _time, max: 10);
        var late = Wait(hold);
        var early = hold.WaitAsync(null, _time.GetTimestamp() + _patience.Ticks / 2, long.MaxValue, default).AsTask();

        _time.Advance(_patience / 2);
        Assert.Equal(HoldOutcome.TimedOut, await early);
        Assert.False(late.IsCompleted);

        _time.Advance(_patience / 2 - TimeSpan.FromTicks(1));
        Assert.False(late.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(HoldOutcome.TimedOut, await late);
        Assert.Equal(0, _time.Armed);
    }

    [Fact]
    public async Task A_wait_of_no_time_takes_no_place()
    {
        using var hold = new WriteHold(_leadership, _time, max: 0);

        Assert.Equal(HoldOutcome.TimedOut, await hold.WaitAsync(null, _time.GetTimestamp(), long.MaxValue, default));
    }

    [Fact]
    public async Task One_too_many_is_turned_away_and_a_client_that_leaves_makes_room()
    {
        using var hold = new WriteHold(_leadership, _time, max: 1);
        using var client = new CancellationTokenSource();
        var first = Wait(hold, client.Token);

        Assert.Equal(HoldOutcome.Full, await Wait(hold));

        await client.CancelAsync();
        Assert.Equal(HoldOutcome.Cancelled, await first);
        Assert.Equal(0, hold.Held);
        var second = Wait(hold);
        Assert.False(second.IsCompleted);
        hold.Stop();
        Assert.Equal(HoldOutcome.Stopping, await second);
    }

    [Fact]
    public async Task A_client_that_has_left_already_does_not_stay()
    {
        using var hold = new WriteHold(_leadership, _time, max: 1);

        Assert.Equal(HoldOutcome.Cancelled, await Wait(hold, new CancellationToken(canceled: true)));
        Assert.Equal(0, hold.Held);
    }

    [Fact]
    public async Task After_the_stop_nobody_waits()
    {
        using var hold = new WriteHold(_leadership, _time, max: 1);
        hold.Stop();

        Assert.Equal(HoldOutcome.Stopping, await Wait(hold));
    }

    [Fact]
    public async Task Who_was_refused_waits_for_somebody_else()
    {
        _leadership.Follow("http://old", epoch: 1);
        using var hold = new WriteHold(_leadership, _time, max: 10);
        var refusedBy = _leadership.Current;
        var refused = hold.WaitAsync(refusedBy, _time.GetTimestamp() + _patience.Ticks, long.MaxValue, default).AsTask();
        var other = Wait(hold);
        Assert.Equal(HoldOutcome.MoveOn, await other);

        _leadership.Follow("http://old", epoch: 1);
        _leadership.LoseLeader();
        Assert.False(refused.IsCompleted);

        _leadership.Follow("http://old", epoch: 2);
        Assert.Equal(HoldOutcome.MoveOn, await refused);
    }

    [Fact]
    public async Task Who_was_refused_tries_the_same_leader_again_after_a_pause()
    {
        _leadership.Follow("http://old");
        using var hold = new WriteHold(_leadership, _time, max: 10);
        var now = _time.GetTimestamp();
        var refused = hold.WaitAsync(_leadership.Current, now + _patience.Ticks, now + TimeSpan.FromMilliseconds(25).Ticks, default).AsTask();

        _time.Advance(TimeSpan.FromMilliseconds(24));
        Assert.False(refused.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(HoldOutcome.MoveOn, await refused);
    }

    [Fact]
    public async Task A_leader_that_admits_no_writes_ends_no_wait()
    {
        using var hold = new WriteHold(_leadership, _time, max: 10);
        var waiting = Wait(hold);

        _leadership.Lead(admits: false);
        Assert.False(waiting.IsCompleted);

        _leadership.Lead();
        Assert.Equal(HoldOutcome.MoveOn, await waiting);
    }

    // A server has no synchronization context; the test framework's takes seconds for ten thousand posts.
    private static void LeaveTestContext() => SynchronizationContext.SetSynchronizationContext(null);

    private Task<HoldOutcome> Wait(WriteHold hold, CancellationToken client = default) =>
        hold.WaitAsync(refusedBy: null, _time.GetTimestamp() + _patience.Ticks, long.MaxValue, client).AsTask();
}
