namespace Ha.Testing.Conformance;

/// <summary>Calls that are cancelled, that wait, and that come after the end.</summary>
internal static class CallChecks
{
    private static readonly TimeSpan _betweenWrites = TimeSpan.FromMilliseconds(250);

    public static ConformanceCheck[] All { get; } =
    [
        new("A call whose token has fired before it throws OperationCanceledException", CancelledBefore),
        new("A call that is cancelled on its way leaves the store usable", CancelledDuring),
        new("A wait ends when its token fires", WaitCancelled),
        new("A waiter wakes after another client's write", WakesUp),
        new("After a client's end nothing hangs, and a second end does nothing", Ends),
    ];

    private static async Task CancelledBefore(ConformanceRoom room)
    {
        var client = await room.ClientAsync();
        var self = Sample.Member("a");
        using var fired = new CancellationTokenSource();
        await fired.CancelAsync();
        await ThrowsAsync(client.ReadAsync(self, fired.Token), "ReadAsync");
        await ThrowsAsync(client.TryWriteAsync(Sample.HeldBy(self, 1), expected: null, self, fired.Token), "TryWriteAsync");
        await ThrowsAsync(client.WaitForChangeAsync(fired.Token), "WaitForChangeAsync");
        await ThrowsAsync(client.LeaveAsync(self, fired.Token), "LeaveAsync");
    }

    private static async Task CancelledDuring(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var self = Sample.Member("a");
        var version = await one.ClaimAsync(Sample.HeldBy(self, 1));
        for (var epoch = 2; epoch < 40; epoch++)
        {
            using var token = new CancellationTokenSource();
            var call = one.TryWriteAsync(Sample.HeldBy(self, epoch), version, self, token.Token);
            if (epoch % 2 == 0)
            {
                await Task.Yield();
            }

            await token.CancelAsync();
            try
            {
                await call;
            }
            catch (OperationCanceledException)
            {
                // Whether it takes effect, and when, nobody knows.
            }

            version = await WriteAtLastAsync(epoch % 3 == 0 ? other : one, Sample.HeldBy(self, epoch), version);
        }
    }

    /// <summary>A call of ours that is still under way may come between, once.</summary>
    private static async Task<string> WriteAtLastAsync(ILeaseStore client, LeaseRecord record, string version)
    {
        var answer = await client.WriteAsync(record, version);
        answer = answer.Written ? answer : await client.WriteAsync(record, answer.Version);
        return Expect.Written(answer, record, "a write after a cancelled one");
    }

    private static async Task WaitCancelled(ConformanceRoom room)
    {
        var client = await room.ClientAsync();
        await client.ClaimAsync(Sample.HeldBy(Sample.Member("a"), 1));
        using var token = new CancellationTokenSource();
        Task[] waits = [client.WaitForChangeAsync(token.Token), client.WaitForChangeAsync(token.Token)];
        await token.CancelAsync();
        foreach (var wait in waits)
        {
            try
            {
                await wait;
            }
            catch (OperationCanceledException)
            {
                // As it should; a store that says at this very moment that something changed is right too.
            }
        }

        await client.ReadAsync(Sample.Member("a"), CancellationToken.None);
    }

    private static async Task WakesUp(ConformanceRoom room)
    {
        if (!room.Notifies)
        {
            return;
        }

        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var record = Sample.HeldBy(Sample.Member("a"), 1);
        var version = await one.ClaimAsync(record);
        for (var i = 0; i < 3; i++)
        {
            var wait = other.WaitForChangeAsync(CancellationToken.None);

            // What happens before the store listens may be missed, so it is told again.
            await room.UntilAsync(
                async () =>
                {
                    version = await one.ReplaceAsync(record, version);
                    return await Task.WhenAny(wait, Task.Delay(_betweenWrites)) == wait;
                },
                "a waiter in another client to wake after a write");
            await wait;
        }
    }

    private static async Task Ends(ConformanceRoom room)
    {
        var (one, other) = (await room.ClientAsync(), await room.ClientAsync());
        var self = Sample.Member("a");
        var record = Sample.HeldBy(self, 1);
        var version = await one.ClaimAsync(record);
        var wait = one.WaitForChangeAsync(CancellationToken.None);
        await one.DisposeAsync();
        await one.DisposeAsync();
        await EndsAsync(wait);
        await EndsAsync(() => one.ReadAsync(self, CancellationToken.None));
        await EndsAsync(() => one.TryWriteAsync(record, version, self, CancellationToken.None));
        await EndsAsync(() => one.WaitForChangeAsync(CancellationToken.None));
        await EndsAsync(() => one.LeaveAsync(self, CancellationToken.None));

        var unused = await room.ClientAsync();
        await unused.DisposeAsync();
        _ = await other.ReadAsync(self, CancellationToken.None);
    }

    private static async Task ThrowsAsync(Task call, string name)
    {
        try
        {
            await call;
        }
        catch (OperationCanceledException)
        {
            return;
        }

        throw new ConformanceFault($"expected {name} to throw OperationCanceledException for a token that has fired, but it ended without");
    }

    private static Task EndsAsync(Func<Task> call) => EndsAsync(Task.Run(call));

    /// <summary>With an answer or any exception; the limit of the check is what ends it otherwise.</summary>
    private static async Task EndsAsync(Task call) => await call.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
