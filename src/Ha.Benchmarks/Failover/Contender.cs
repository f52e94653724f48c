namespace Ha.Benchmarks.Failover;

/// <summary>A group of processes of which one takes writes: killed, watched and restarted the same way, whoever made it.</summary>
internal abstract class Contender : IAsyncDisposable
{
    public abstract string Name { get; }

    public abstract string Settings { get; }

    /// <summary>How many members there are.</summary>
    public abstract int Count { get; }

    /// <summary>Where writes may go once <paramref name="killed"/> is dead.</summary>
    public virtual IEnumerable<int> Doors(int killed) => Enumerable.Range(0, Count).Where(node => node != killed);

    public abstract Task StartAsync();

    /// <summary>Returns the leader once everybody is healthy, or throws after a while.</summary>
    public abstract Task<int> SettleAsync();

    /// <summary>Ends it without a word.</summary>
    public abstract void Kill(int node);

    /// <summary>Asks it to go; returns at once.</summary>
    public abstract void Terminate(int node);

    /// <summary>Asks it to give leadership away and stay; returns at once.</summary>
    public virtual void StepDown(int node) => throw new NotSupportedException($"{Name} has no such request here.");

    /// <summary>Starts it again once it is gone.</summary>
    public abstract Task RestartAsync(int node);

    /// <summary>One write through <paramref name="node"/>; true: acknowledged. Does not throw.</summary>
    public abstract Task<bool> WriteAsync(int node, CancellationToken cancellation);

    /// <summary>Moments at which two members were leader at once, as far as one could see from outside; null: not watched.</summary>
    public virtual int? TwoLeaders => null;

    public abstract ValueTask DisposeAsync();

    /// <summary>Asks every few milliseconds until <paramref name="ready"/> has an answer.</summary>
    protected async Task<int> UntilAsync(string what, Func<Task<int?>> ready)
    {
        var deadline = TimeProvider.System.GetTimestamp() + 60 * TimeProvider.System.TimestampFrequency;
        while (TimeProvider.System.GetTimestamp() < deadline)
        {
            if (await ready() is { } answer)
            {
                return answer;
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"{Name}: {what}");
    }
}
