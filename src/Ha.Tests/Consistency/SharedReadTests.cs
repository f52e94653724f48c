using Ha.Consistency;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;

namespace Ha.Tests.Consistency;

/// <summary>The position after a write is read after its commit, and not once for each of a thousand.</summary>
public sealed class SharedReadTests
{
    private readonly ManualTime _clock = new();
    private readonly List<Exception> _failures = [];
    private readonly List<TaskCompletionSource<long>> _calls = [];
    private readonly SharedRead _read;
    private CancellationToken _stop;

    public SharedReadTests() => _read = new SharedRead(
        stop =>
        {
            var call = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_calls)
            {
                _calls.Add(call);
                _stop = stop;
            }

            return new ValueTask<long>(call.Task);
        },
        _clock, failure =>
        {
            lock (_failures)
            {
                _failures.Add(failure);
            }
        });

    [Fact]
    public async Task Who_comes_while_one_runs_shares_the_next()
    {
        var first = ReadAsync();
        await Eventually.True(() => Calls == 1);
        var others = Enumerable.Range(0, 1000).Select(_ => ReadAsync()).ToArray();

        // Whoever had begun to read for them has done so by now.
        await Task.Factory.StartNew(static () => { }, default, TaskCreationOptions.PreferFairness, TaskScheduler.Default);
        Assert.Equal(1, Calls);
        _calls[0].SetResult(1);
        Assert.Equal(1, await first);
        await Eventually.True(() => Calls == 2);
        Assert.All(others, other => Assert.False(other.IsCompleted));
        _calls[1].SetResult(2);
        Assert.All(await Task.WhenAll(others), number => Assert.Equal(2, number));
        Assert.Equal(2, Calls);
    }

    [Fact]
    public async Task A_failure_is_nobodys_position_and_the_next_is_read_again()
    {
        var first = ReadAsync();
        await Eventually.True(() => Calls == 1);
        _calls[0].SetException(new InvalidOperationException("away"));
        Assert.Null(await first);
        Assert.Equal("away", Assert.Single(_failures).Message);

        var second = ReadAsync();
        await Eventually.True(() => Calls == 2);
        _calls[1].SetResult(5);
        Assert.Equal(5, await second);
    }

    [Fact]
    public async Task One_that_hangs_is_waited_for_no_longer_than_the_bound()
    {
        var first = ReadAsync();
        await Eventually.True(() => Calls == 1 && _clock.Armed == 2);
        _clock.Advance(TimeSpan.FromSeconds(0.9));
        Assert.False(first.IsCompleted);
        _clock.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Null(await first);
        _clock.Advance(TimeSpan.FromSeconds(3.9));
        Assert.False(_stop.IsCancellationRequested);
        _clock.Advance(TimeSpan.FromSeconds(0.1));
        Assert.True(_stop.IsCancellationRequested);
        _calls[0].SetResult(1);
    }

    [Fact]
    public async Task One_that_takes_its_time_brings_the_position_to_those_who_come_later()
    {
        var first = ReadAsync();
        await Eventually.True(() => Calls == 1 && _clock.Armed == 2);
        _clock.Advance(SharedRead.Patience);
        Assert.Null(await first);
        var second = ReadAsync();
        _calls[0].SetResult(1);
        await Eventually.True(() => Calls == 2);
        _calls[1].SetResult(2);
        Assert.Equal(2, await second);
    }

    [Fact]
    public async Task Who_leaves_takes_nothing_from_the_others()
    {
        using var cancel = new CancellationTokenSource();
        var leaves = ReadAsync(cancel.Token);
        var stays = ReadAsync();
        await Eventually.True(() => Calls >= 1);
        await cancel.CancelAsync();
        Assert.Null(await leaves);
        await Eventually.True(() =>
        {
            lock (_calls)
            {
                _calls.ForEach(call => call.TrySetResult(3));
            }

            return stays.IsCompleted;
        });
        Assert.Equal(3, await stays);
        Assert.Empty(_failures);
    }

    private Task<long?> ReadAsync(CancellationToken cancelled = default) =>
        _read.ReadAsync(cancelled).AsTask().WaitAsync(TimeSpan.FromSeconds(20), CancellationToken.None);

    private int Calls
    {
        get
        {
            lock (_calls)
            {
                return _calls.Count;
            }
        }
    }
}
