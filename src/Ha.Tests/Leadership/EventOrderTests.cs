using Ha.Election;
using Ha.Leadership;

namespace Ha.Tests.Leadership;

public class EventOrderTests
{
    [Fact]
    public async Task Events_are_told_in_their_order_whoever_comes_first_to_tell_them()
    {
        var told = new List<long>();
        using var first = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var order = new EventOrder(e =>
        {
            first.Set();
            goOn.Wait();
            told.Add(e.Epoch);
        });
        order.AddNeedsLock([Event(1)]);
        var slow = Task.Run(order.Tell);
        first.Wait();

        // A later step on another thread neither overtakes nor waits.
        order.AddNeedsLock([Event(2), Event(3)]);
        order.Tell();
        Assert.Empty(told);

        goOn.Set();
        await slow;
        Assert.Equal([1, 2, 3], told);
    }

    [Fact]
    public async Task No_event_is_left_behind_by_threads_that_meet()
    {
        const int Threads = 4;
        const int Steps = 200;
        var told = new List<long>();
        var order = new EventOrder(e => told.Add(e.Epoch));
        var steps = new Lock();
        var next = 0L;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Run(() =>
        {
            for (var step = 0; step < Steps; step++)
            {
                lock (steps)
                {
                    order.AddNeedsLock([Event(++next)]);
                }

                order.Tell();
            }
        })));
        Assert.Equal(Enumerable.Range(1, Threads * Steps).Select(n => (long)n), told);
    }

    [Fact]
    public async Task Who_has_something_told_soon_does_not_wait_for_it()
    {
        var told = new TaskCompletionSource();
        using var goOn = new ManualResetEventSlim();
        var order = new EventOrder(_ =>
        {
            goOn.Wait();
            told.SetResult();
        });
        order.AddNeedsLock([Event(1)]);
        order.TellSoon();
        Assert.False(told.Task.IsCompleted);

        goOn.Set();
        await told.Task;
    }

    private static ElectionEvent Event(long epoch) => new(ElectionEventKind.LeaderSeen, "a", epoch, "");
}
